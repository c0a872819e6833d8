% rebase('layout')
% from serve.pages.formatting import date
% from serve.pages.home.worker_panel import worker_sentence
<h1>{{_("Overview")}}</h1>
% if warning:
<p class="notice">{{warning}}</p>
% end
% if alerts or other_faults:
<section id="alerts" data-live aria-label="{{_("What is wrong")}}">
<ul class="tasks">
% for task in alerts:
<li class="bad"><a href="{{task.path}}">{{task.text}}</a></li>
% end
% for fault in other_faults:
<li class="bad"><a href="/server#troubles">{{_("{dataset}: {subject} is stopped").format(dataset=fault.dataset, subject=fault.subject)}}</a></li>
% end
</ul>
</section>
% end
% if not data.panels:
%   include('first_dataset')
% else:
<p><a href="/add">{{_("New dataset from a file")}}</a></p>
% end
% for at, panel in enumerate(data.panels):
% name = panel.served.name
<article class="card" aria-labelledby="{{name}}-title">
<h2 id="{{name}}-title"><a href="/?dataset={{name}}">{{panel.served.spec.title or name}}</a></h2>
%   include('dataset_card', panel=panel, now=data.now, level=3, explains=not at)
</article>
% end
% if hidden:
<section><h2>{{_("More datasets")}}</h2><ul>
% for served in hidden:
<li><a href="/?dataset={{served.name}}">{{served.spec.title or served.name}}</a> <span class="soft">{{served.model or _("no model yet")}}</span> · <a href="/label/{{served.name}}">{{_("Label records")}}</a> · <a href="/try/{{served.name}}">{{_("Try")}}</a> · <a href="/records/{{served.name}}">{{_("Records")}}</a></li>
% end
</ul></section>
% end
<section id="workers" data-live>
<h2>{{_("Workers")}}</h2>
% if data.paused_at is not None:
<p class="notice">{{_("All workers are paused since {date}. Resume:").format(date=date(data.paused_at))}} <code>python -m enrich resume</code></p>
% end
% if not data.workers:
<p>{{_("No worker is running. Start one:")}} <code>python -m enrich run</code></p>
% end
% if data.workers:
<ul class="tasks">
% for panel in data.workers:
<li class="{{'bad' if panel.condition.is_bad else ''}}">{{worker_sentence(panel, data.now, shows_rows=shows_rows)}}</li>
% end
</ul>
% end
<p><a href="/server">{{_("Server, workers and errors in detail")}}</a></p>
</section>
