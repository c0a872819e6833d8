% rebase('layout')
% from serve.pages.formatting import count, percent
% from serve.pages.over_time.drift_data import drift_badge, drift_verdict, window_text
% from serve.pages.guide.term import term
% from serve.pages.language.data_language import lang_attribute
% name = served.name
<h1>{{title}}</h1>
<nav class="tabs" aria-label="{{_("Time shown")}}">
% for each in spans:
<a href="/over-time/{{name}}?span={{each.name}}" {{!'aria-current="page"' if each is span else ""}}>{{_(each.title)}}</a>
% end
</nav>
<section aria-labelledby="answers">
<h2 id="answers">{{_("Predictions served")}}</h2>
<p>{{ngettext("{count} prediction in {span}.", "{count} predictions in {span}.", data.total).format(count=count(data.total), span=_(span.title))}}
<span class="soft">{{_("The last step has not ended yet.")}} {{_("What is tried on the pages or predicted for a file is not counted.")}} {{_("Time zone:")}} <span data-zone>UTC</span>. {{_("Days begin at midnight in UTC.")}}</span></p>
% include('chart', chart=data.answers, table=data.answers_table)
</section>
<section aria-labelledby="drift">
<h2 id="drift">{{_("Drift of predictions")}}</h2>
% include('drift', name=name, drift=worst)
<p class="soft">{{_("Drift compares how often each prediction is served with how often the model gave it in training. Below 0.1 they match, from 0.25 they differ.")}} {{!term("psi", _("What is PSI?"))}}
% if data.model:
{{_("Only predictions of {model} count, from the first full hour after it was activated.").format(model=served.model or data.model.version)}}
% end
% if worst.level not in {"warn", "bad"}:
<a href="/records/{{name}}?show=asked">{{_("Look at what is asked")}}</a>
% end
</p>
<div class="wide" tabindex="0" role="region" aria-label="{{_("Drift until now")}}"><table>
<thead><tr><th scope="col">{{_("Window")}}</th><th scope="col" class="n">{{_("Predictions")}}</th><th scope="col">{{_("Drift")}}</th><th scope="col">{{_("Verdict")}}</th></tr></thead>
<tbody>
% for drift in data.drifts:
<tr><th scope="row">{{window_text(drift.hours)}}</th><td class="n">{{count(drift.answers)}}</td><td><span class="badge {{drift.level}}">{{drift_badge(drift)}}</span></td><td class="kind">{{drift_verdict(drift)}}</td></tr>
% end
</tbody></table></div>
% include('chart', chart=data.drift)
</section>
% if data.total:
<section aria-labelledby="shares">
<h2 id="shares">{{_("Share of each prediction")}}</h2>
<p class="legend"><span class="key line student"></span>{{_("served")}} <span class="key dashed"></span>{{_("in training")}}</p>
<div class="charts">
% for chart in data.share_charts:
% include('chart', chart=chart, table=None, legend=False)
% end
</div>
<details><summary>{{_("As a table")}}</summary>
<div class="wide" tabindex="0" role="region" aria-label="{{_("Shares as a table")}}"><table>
<thead><tr><th scope="col">{{_("Prediction")}}</th><th scope="col" class="n">{{_("In training")}}</th><th scope="col" class="n">{{_("Served")}}</th><th scope="col" class="n">{{_("Predictions")}}</th></tr></thead><tbody>
% for share in data.shares:
<tr><th scope="row"{{!lang_attribute(served.spec)}}>{{share.title}}</th><td class="n">{{"–" if share.trained is None else percent(share.trained, 1)}}</td><td class="n">{{percent(share.served, 1)}}</td><td class="n">{{count(share.answers)}}</td></tr>
% end
</tbody></table></div></details>
</section>
% end
% include('input_drift', name=name, inputs=inputs)
