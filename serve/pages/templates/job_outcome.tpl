% from serve.pages.formatting import count
% from serve.pages.jobs.job_view import size_text
% result = job.result
% if job.kind == "predict":
<p>{{ngettext("{count} row", "{count} rows", result["rows"]).format(count=count(result["rows"]))}}
% if result["errors"]:
– {{ngettext("{count} row has no prediction, and the reason in the column error", "{count} rows have no prediction, and the reason in the column error", result["errors"]).format(count=count(result["errors"]))}}
% end
</p>
% if size is not None:
<p><a href="/jobs/{{job.id}}/result">{{_("Download {name} ({size})").format(name=result["file_name"], size=size_text(size))}}</a></p>
% end
<p><a href="/batch/{{job.dataset}}">{{_("Predict another file")}}</a></p>
% elif job.kind == "labels":
% include('job_labels', result=result, dataset=job.dataset)
% elif draft:
% include('job_draft', job=job, draft=draft, columns=columns, types=types, may_change=may_change, dataset_name=dataset_name, most_shown=most_shown, most_targets=most_targets, here=here, quoted=quoted)
% elif job.kind in ("add", "train"):
% dataset = result["dataset"]
% if job.kind == "add":
<p>{{ngettext("The dataset {name} is there, with {count} row.", "The dataset {name} is there, with {count} rows.", result["rows"]).format(name=dataset, count=count(result["rows"]))}}
% if result["errors"]:
{{ngettext("{count} row could not be imported.", "{count} rows could not be imported.", result["errors"]).format(count=count(result["errors"]))}}
% end
</p>
% end
% if result.get("not_trained"):
<p class="notice">{{_("No model was trained: {reason}. Label records, and a worker trains a model by itself.").format(reason=result["not_trained"])}}</p>
% elif result["active"]:
<p>{{_("The model {model} is trained and answers from now on: {reason}.").format(model=result["model"], reason=result["reason"])}}</p>
% else:
<p>{{_("The model {model} is trained, and the earlier one stays: {reason}.").format(model=result["model"], reason=result["reason"])}}</p>
% end
<p class="pager">
% version = result.get("version") or 1
% if version > 1:
<a href="/models/{{dataset}}/{{version - 1}}..{{version}}">{{_("Compare with {version}").format(version=f"{dataset}@{version - 1}")}}</a>
% end
<a href="/try/{{dataset}}">{{_("Try it")}}</a> <a href="/models/{{dataset}}">{{_("Models")}}</a> <a href="/label/{{dataset}}">{{_("Label records")}}</a> <a href="/records/{{dataset}}">{{_("Records")}}</a> <a href="/batch/{{dataset}}">{{_("Predict a file")}}</a></p>
% end
% notes = [*result.get("notes", ()), *result.get("faults", ())] if not draft else []
% if notes:
<h2>{{_("Notes on the file")}}</h2>
<ul>
% for note in notes[:20]:
<li>{{note}}</li>
% end
</ul>
% end
