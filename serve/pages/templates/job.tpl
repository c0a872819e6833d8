% rebase('layout')
% from serve.pages.formatting import ago
<h1>{{title}}</h1>
% if problem:
<p class="notice" role="alert">{{problem}}</p>
% end
<section id="progress" data-live aria-label="{{_("Progress")}}">
<p><span class="badge {{view.badge}}">{{view.state}}</span>
% if job.parameters.get("file_name"):
{{job.parameters["file_name"]}},
% end
{{ago(job.made_at, now)}}, <code>{{job.author[:12]}}</code></p>
% include('job_note', note=note)
% if not job.is_finished:
<p>{{view.step}}</p>
% if view.percent is not None:
<progress max="100" value="{{view.percent}}" aria-label="{{_("Done")}}">{{view.percent}} %</progress>
% elif job.state == "running":
<progress aria-label="{{_("Done")}}"></progress>
% end
% if job.attempts > 1:
<p class="soft">{{_("Attempt {number}: an earlier worker did not finish.").format(number=job.attempts)}}</p>
% end
% end
</section>
<section id="outcome" {{!"" if job.is_finished else "data-live"}} aria-label="{{_("Result")}}">
% if job.state == "failed":
<p class="notice">{{_("The job failed: {reason}").format(reason=job.error)}}</p>
% if job.kind == "infer" and may_change:
<form method="post" action="/jobs/{{job.id}}/infer">
%   include('job_choices')
<button>{{_("Read the file again")}}</button>
</form>
<p><a href="/add">{{_("Choose another file")}}</a></p>
% elif job.kind == "labels":
<p><a href="/production/{{job.dataset}}#tell">{{_("Choose another file")}}</a></p>
% end
% end
% if job.state == "done" or draft:
% include('job_outcome', job=job, size=size, draft=draft, columns=columns, types=types, may_change=may_change, dataset_name=dataset_name, most_shown=most_shown, most_targets=most_targets, here=here, quoted=quoted)
% end
</section>
% if not job.is_finished:
<noscript><p class="soft">{{_("Reload this page to see how far the job is.")}}</p></noscript>
% end
% if may_change:
<section id="delete" {{!"" if job.is_finished else "data-live"}} aria-label="{{_("Delete")}}">
% if job.is_finished and job.kind in ("add", "train"):
<p class="soft">{{_("The dataset and its models stay when the job is deleted.")}}</p>
% elif job.is_finished and job.kind == "labels":
<p class="soft">{{_("The labels stay when the job is deleted.")}}</p>
% end
<form method="post" action="/jobs/{{job.id}}/delete"><button class="danger">{{_("Delete this job and its files") if job.is_finished else _("Cancel and delete this job")}}</button></form>
</section>
% end
<p><a href="/jobs">{{_("All files and jobs")}}</a></p>
