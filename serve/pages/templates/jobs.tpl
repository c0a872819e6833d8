% rebase('layout')
% from serve.pages.formatting import ago
<h1>{{title}}</h1>
<p>{{_("Workers predict files, compare labels with answers, make datasets of tables, and train models.")}} <a href="/add">{{_("New dataset from a file")}}</a></p>
<section id="jobs" data-live>
% include('job_note', note=note)
% if not views:
<p>{{_("No job yet. Predict a file from the pages of a dataset, or begin with a new dataset.")}}</p>
% else:
<div class="wide" tabindex="0" role="region" aria-label="{{_("List of jobs")}}"><table>
<caption>{{_("The newest 50; jobs are deleted after seven days.")}}</caption>
<thead><tr><th scope="col">{{_("Job")}}</th><th scope="col">{{_("Dataset")}}</th><th scope="col">{{_("State")}}</th><th scope="col">{{_("When")}}</th><th scope="col">{{_("By")}}</th></tr></thead>
<tbody>
% for view in views:
% job = view.job
<tr><th scope="row" class="kind"><a href="/jobs/{{job.id}}">{{job.id}}{{colon}}{{view.kind}}</a></th><td>{{job.dataset or "–"}}</td><td><span class="badge {{view.badge}}">{{view.state}}</span>
% if view.percent is not None:
{{view.percent}} %
% end
</td><td class="whole">{{ago(job.made_at, now)}}</td><td class="whole"><code>{{job.author[:12]}}</code></td></tr>
% end
</tbody></table></div>
% end
</section>
