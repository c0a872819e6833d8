% from serve.pages.formatting import ago, duration
% from serve.pages.trying.predict_form import MANY_FIELDS
% from serve.pages.svg import hour_bars, share_bar
% served, model_card, name = panel.served, panel.model_card, panel.served.name
% spec = served.spec
<article aria-labelledby="{{name}}-title">
<h2 id="{{name}}-title">{{spec.title or name}}</h2>
<p class="soft">
% names = list(spec.fields)
% for field in names[:MANY_FIELDS]:
<code>{{field}}</code>
% end
% if names[MANY_FIELDS:]:
and {{len(names) - MANY_FIELDS}} more
% end
→ <code>{{spec.target}}</code> ·
% if served.model:
<a href="#{{name}}-model">{{served.model}}</a> ·
% else:
no model yet: <code>python -m enrich train {{name}}</code> ·
% end
<a href="/records/{{name}}">records</a> ·
<a href="/records/{{name}}?show=disagreements">disagreements</a> ·
% if spec.kind == "classification":
<a href="/records/{{name}}?show=uncertain">uncertain</a> ·
% end
% uses = {enricher.use or key for key, enricher in spec.enrichers.items()}
% if "label_issues" in uses:
<a href="/records/{{name}}?show=issues">label issues</a> ·
% end
% if "near_duplicates" in uses:
<a href="/records/{{name}}?show=duplicates">duplicates</a> ·
% end
<a href="/try/{{name}}">try it</a>
</p>
% if names[MANY_FIELDS:]:
<details><summary>Try it: a form with {{len(names)}} fields</summary>
% end
% include('predict_form', served=served, inputs=model_card.examples[0], examples=model_card.examples, answer=None)
% if names[MANY_FIELDS:]:
</details>
% end
<div class="columns">
<section id="{{name}}-coverage" data-live>
<h3>Enrichment</h3>
% if not panel.coverage:
<p class="soft">Not counted yet. A running worker counts the records, and so does <code>python -m enrich once</code>.</p>
% else:
<div class="wide" tabindex="0" role="region" aria-label="Enrichment of {{name}}"><table>
<thead><tr><th scope="col">Enricher</th><th scope="col" class="n">Fresh</th><th scope="col"><span class="quiet">Share</span></th><th scope="col" class="n">Backlog</th><th scope="col">Time left</th></tr></thead>
<tbody>
% for row in panel.coverage:
<tr><th scope="row">{{row.enricher}}</th><td class="n">{{format(row.fresh, ",")}} of {{format(row.records, ",")}}</td><td>{{!share_bar(row.fresh / row.records if row.records else 1.0)}}</td><td class="n">{{format(row.backlog, ",")}}</td><td>{{"–" if not row.backlog or row.seconds_left is None else "≈ " + duration(row.seconds_left)}}</td></tr>
% end
</tbody></table></div>
<p class="soft">Counted {{ago(panel.counted_at, now)}}</p>
% end
</section>
<section id="{{name}}-served" data-live>
<h3>Predictions in the last 24 hours</h3>
% answered, drift = panel.answered, panel.answered.drift
% if not answered.total:
<p class="soft">None yet. Predictions appear here within ten seconds.</p>
% else:
{{!hour_bars(answered.hours, ("teacher", "student"))}}
<p class="legend"><span class="key teacher"></span>teacher {{format(sum(hour.get("teacher", 0) for hour in answered.hours), ",")}} <span class="key student"></span>student {{format(sum(hour.get("student", 0) for hour in answered.hours), ",")}} <span class="soft">one bar per hour, the current hour on the right</span></p>
<details><summary>By prediction and hour</summary>
<div class="wide" tabindex="0" role="region" aria-label="Predictions of {{name}}"><table>
<thead><tr><th scope="col">Prediction</th><th scope="col" class="n">Times</th><th scope="col" class="n">Share</th></tr></thead><tbody>
% for prediction, count in answered.predictions[:30]:
<tr><th scope="row">{{prediction}}</th><td class="n">{{format(count, ",")}}</td><td class="n">{{"%.1f %%" % (100 * count / answered.total)}}</td></tr>
% end
</tbody></table>
<table><thead><tr><th scope="col">Hours ago</th><th scope="col" class="n">Teacher</th><th scope="col" class="n">Student</th></tr></thead><tbody>
% for hours_ago, hour in enumerate(reversed(answered.hours)):
% if hour:
<tr><th scope="row">{{hours_ago}}</th><td class="n">{{format(hour.get("teacher", 0), ",")}}</td><td class="n">{{format(hour.get("student", 0), ",")}}</td></tr>
% end
% end
</tbody></table></div></details>
% end
<p>Drift: <span class="badge {{drift.level}}">{{"PSI %.3f" % drift.index if drift.index is not None else "not known"}}</span> {{drift.words}} <span class="soft">(Population stability index: below 0.1 predictions match training, from 0.25 they differ.)</span></p>
</section>
</div>
% if model_card.model:
%   include('model_card', served=served, model_card=model_card)
% end
</article>
