% rebase('layout')
% from serve.pages.formatting import count
% spec = served.spec
<h1>{{title}}</h1>
<p>{{_("Send a table, and get back the same rows in the same order and the same format, with the predictions of {target} in further columns.").format(target=spec.target)}}</p>
% include('job_note', note=note)
% include('job_upload', most_bytes=most_bytes, may_change=may_change, suffixes=suffixes, here=here, choices=False, button=_("Predict the rows"), quoted=quoted)
<h2>{{_("Columns of the file")}}</h2>
<p>{{_("Each column may have the name of the field or of the column in the training data. Other columns stay as they are.")}}</p>
<div class="wide" tabindex="0" role="region" aria-label="{{_("Columns of the file")}}"><table>
<thead><tr><th scope="col">{{_("Column")}}</th><th scope="col">{{_("Type")}}</th><th scope="col">{{_("Needed")}}</th></tr></thead>
<tbody>
% for name, field in list(spec.fields.items())[:100]:
<tr><th scope="row">{{field.column or name}}</th><td>{{_(types[field.__struct_config__.tag])}}</td><td>{{_("yes") if name in spec.required else _("no")}}</td></tr>
% end
</tbody></table></div>
% if len(spec.fields) > 100:
<p class="soft">{{_("and {number} more").format(number=count(len(spec.fields) - 100))}}</p>
% end
<p class="soft">{{_("A worker does this, so the server goes on answering. Files are deleted seven days after their job. All jobs:")}} <a href="/jobs">{{_("Files and jobs")}}</a></p>
<script defer src="/docs/drop.js"></script>
