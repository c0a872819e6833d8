% rebase('layout')
% import json
% from serve.pages.svg import share_bar
% from serve.api.query import as_text, in_query
% from serve.pages.formatting import date, number
% name, spec = served.name, served.spec
<h1>{{spec.title or name}}: one record</h1>
% if problem:
<p class="notice" role="alert">{{problem}}</p>
% end
<div class="columns">
<section><h2>Record</h2>
<dl class="facts">
% for field, value in it.inputs.items():
<dt>{{field}}</dt><dd>{{as_text(value)}}</dd>
% end
<dt>Label ({{spec.target}})</dt><dd>{{it.label if it.label is not None else "none"}}</dd>
<dt>Key</dt><dd><code>{{it.key}}</code></dd>
<dt>Came</dt><dd>{{date(it.made_at)}}, by {{it.origin}}</dd>
<dt>State</dt><dd>{{"up to date" if it.is_fresh else "waits to be enriched"}}{{", asked for" if it.asked and not it.is_fresh else ""}}{{", in chunk %d" % it.chunk if it.chunk else ""}}{{", with worker %d" % it.worker if it.worker else ""}}</dd>
% if it.issue:
<dt>Found</dt><dd><span class="badge warn">label issue</span></dd>
% end
% if it.group:
<dt>Duplicates</dt><dd><a href="/records/{{name}}?group={{it.group}}">its group</a></dd>
% end
</dl>
<p><a href="/try/{{name}}?{{in_query(it.inputs)}}">Predict now</a> · <a href="/records/{{name}}/{{it.key}}?format=json">JSON</a></p>
</section>
<section><h2>Prediction</h2>
% if answer:
<p class="headline"><strong>{{answer.prediction}}</strong> <span class="badge {{answer.source}}">{{answer.source}}</span></p>
<p class="soft">{{answer.model}}, {{date(it.predicted_at)}}{{"" if it.prediction_fresh else "; by an older model or older values"}}</p>
% if isinstance(answer.probabilities, dict):
<table class="bars"><caption class="quiet">Probabilities</caption><tbody>
% for label, share in answer.probabilities.items():
<tr><th scope="row">{{label}}</th><td>{{!share_bar(share, "teacher")}}</td><td class="n">{{"%.1f %%" % (100 * share)}}</td></tr>
% end
</tbody></table>
% end
% if it.held_out:
<p>Out of fold, without the label being seen: <strong>{{it.answer or number(it.score)}}</strong>{{" %.1f %%" % (100 * it.score) if it.answer else ""}}</p>
% end
% for warning in answer.warnings:
<p class="notice">{{warning}}</p>
% end
% else:
<p>The teacher has not answered this one yet.</p>
% end
</section>
</div>
<section><h2>Enrichments</h2>
% if not it.values:
<p>None yet.</p>
% else:
<div class="wide" tabindex="0" role="region" aria-label="Enrichments"><table>
<thead><tr><th scope="col">Enricher</th><th scope="col">Value</th><th scope="col">Made</th><th scope="col">Version</th></tr></thead><tbody>
% for value in it.values:
<tr><th scope="row">{{value.enricher}}</th><td>
% if value.numbers:
<code>{{", ".join("%.4g" % one for one in value.value)}}</code>{{", … %d numbers" % value.numbers if value.numbers > len(value.value) else ""}}
% else:
<code>{{json.dumps(value.value, ensure_ascii=False)}}</code>
% end
</td><td>{{date(value.made_at)}}</td><td><code title="{{value.fingerprint}}">{{value.fingerprint[:8]}}</code> <span class="badge {{'fine' if value.is_fresh else 'warn'}}">{{"today's" if value.is_fresh else "an older one"}}</span></td></tr>
% end
</tbody></table></div>
% end
% for one in it.refused:
<p class="notice">{{one.enricher or "Every enricher"}} could not take it, {{date(one.made_at)}}: {{one.reason}}</p>
% end
</section>
<section><h2>Forget this record</h2>
<p>Erases it and all that came of it, for good. A key from <code>API_KEYS</code> is needed.</p>
<form class="filter" method="post" action="/forget/{{name}}/{{it.key}}">
<label><span>API key</span><input name="api_key" type="password" autocomplete="off" required></label>
<button class="danger">Forget it</button>
</form></section>
