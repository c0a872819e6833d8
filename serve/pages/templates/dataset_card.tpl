% from serve.pages.formatting import ago, count, percent
% from serve.pages.guide.term import term
% from serve.pages.home.dataset_counts import count_text
% from serve.pages.svg import hour_bars
% served, model_card, counts, answered = panel.served, panel.model_card, panel.counts, panel.answered
% name, spec, verdict = served.name, served.spec, model_card.in_short
<div id="{{name}}-card" data-live>
<p class="verdict">
% if not served.model:
<strong>{{_("No model yet")}}</strong>
% elif not verdict.quality:
<strong>{{_("Not measured")}}</strong>
% else:
<strong>{{verdict.quality}}</strong>
% if verdict.guessing:
<span class="soft">({{!term("guessing") if explains else _("guessing")}}{{colon}}{{verdict.guessing}})</span>
% end
% end
</p>
<p class="soft">{{ngettext("{count} record", "{count} records", counts.records).format(count=count_text(counts.records))}}, {{_("{count} labelled").format(count=count_text(counts.labelled))}}
% if model_card.model:
· {{_("{model}, trained {ago}").format(model=served.model, ago=ago(model_card.model.made_at, now))}}
% end
% tasks = panel.tasks
· {{ngettext("{count} thing to do", "{count} things to do", len(tasks)).format(count=count(len(tasks))) if tasks else _("nothing to do")}}</p>
% if panel.production_text:
<p>{{panel.production_text}} <a href="/production/{{name}}">{{_("In production")}}</a></p>
% end
% if tasks:
<h{{level}}>{{_("What to do next")}}</h{{level}}>
<ul class="tasks">
% for task in tasks:
<li class="{{task.level}}">
% if task.path:
<a href="{{task.path}}">{{task.text}}</a>
% else:
{{task.text}}
% end
% if task.trains and may_change:
%   include('retrain', name=name, has_model=bool(served.model), may_change=True)
% elif task.command:
<code>{{task.command}}</code>
% end
</li>
% end
</ul>
% end
<h{{level}}>{{_("Asked in the last 24 hours")}}</h{{level}}>
% if not answered.total:
<p class="soft">{{_("Nothing yet. Predictions appear here within ten seconds.")}} {{_("What is tried on the pages or predicted for a file is not counted.")}}</p>
% else:
{{!hour_bars(answered.hours, ("teacher", "student"))}}
<p class="legend"><span class="key teacher"></span>{{!term("teacher") if explains else _("teacher")}} {{count(answered.by_source("teacher"))}} <span class="key student"></span>{{!term("student") if explains else _("student")}} {{count(answered.by_source("student"))}} <span class="soft">{{_("one bar per hour, the current hour on the right")}}</span></p>
% end
% if model_card.model:
%   include('drift', drift=answered.drift, name=name)
% end
</div>
% if panel.text_field:
<form class="one-line" method="get" action="/try/{{name}}">
<label><span>{{_("Try it: {field}").format(field=panel.text_field)}}</span><input name="{{panel.text_field}}" required></label>
<button>{{_("Predict {target}").format(target=spec.target)}}</button>
</form>
% end
% if level > 2:
<p class="links"><a href="/label/{{name}}">{{_("Label records")}}</a> <a href="/try/{{name}}">{{_("Try")}}</a> <a href="/records/{{name}}">{{_("Records")}}</a> <a href="/models/{{name}}">{{_("Models")}}</a> <a href="/over-time/{{name}}">{{_("Over time")}}</a> <a href="/production/{{name}}">{{_("In production")}}</a> <a href="/batch/{{name}}">{{_("Predict a file")}}</a></p>
% end
