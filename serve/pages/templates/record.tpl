% rebase('layout')
% import json
% from serve.pages.svg import share_bar
% from serve.api.query import as_text, in_query
% from serve.pages.formatting import date, interval_text, label_text, labels_text, number, summary_note
% name, spec = served.name, served.spec
% regression = spec.kind == "regression"
<h1>{{spec.title or name}}: one record</h1>
% if problem:
<p class="notice" role="alert">{{problem}}</p>
% end
<div class="columns">
<section><h2>Record</h2>
<dl class="facts">
% for field, value in record.inputs.items():
<dt>{{field}}</dt><dd>
% if value is not None:
{{as_text(value)}}
% else:
<span class="soft">–</span>
% end
</dd>
% end
% note = summary_note(record.labels, regression=regression)
<dt>Label ({{spec.target}})</dt><dd>{{label_text(record.label, regression=regression) if record.label is not None else "none"}}
% if note:
<span class="soft">{{note}}</span>
% end
</dd>
<dt>Key</dt><dd><code>{{record.key}}</code></dd>
<dt>Created</dt><dd>{{date(record.made_at)}}, origin: {{record.origin}}</dd>
<dt>State</dt><dd>{{"up to date" if record.is_fresh else "waiting for enrichment"}}{{", prioritized because it was requested" if record.asked and not record.is_fresh else ""}}{{", in chunk %d" % record.chunk if record.chunk else ""}}{{", leased to worker %d" % record.worker if record.worker else ""}}</dd>
% if record.issue:
<dt>Finding</dt><dd><span class="badge warn">label issue</span></dd>
% end
% if record.group:
<dt>Duplicates</dt><dd><a href="/records/{{name}}?group={{record.group}}">records of its group</a></dd>
% end
</dl>
<p><a href="/try/{{name}}?{{in_query(record.inputs)}}">Predict now</a> · <a href="/records/{{name}}/{{record.key}}?format=json">JSON</a></p>
</section>
<section><h2>Prediction</h2>
% if answer:
<p class="headline"><strong>{{answer.prediction}}</strong> <span class="badge {{answer.source}}">{{answer.source}}</span></p>
% if isinstance(answer.interval, tuple):
<p>{{interval_text(answer.interval)}}</p>
% end
<p class="soft">{{answer.model}}, {{date(record.predicted_at)}}{{"" if record.prediction_fresh else "; made by an older model or from older enrichments"}}</p>
% if isinstance(answer.probabilities, dict):
<table class="bars"><caption class="quiet">Probabilities</caption><tbody>
% for label, share in answer.probabilities.items():
<tr><th scope="row">{{label}}</th><td>{{!share_bar(share, "teacher")}}</td><td class="n">{{"%.1f %%" % (100 * share)}}</td></tr>
% end
</tbody></table>
% end
% if record.held_out:
<p>Out of fold, by a teacher trained without this label: <strong>{{record.answer or number(record.score)}}</strong>{{" %.1f %%" % (100 * record.score) if record.answer else ""}}</p>
% end
% for warning in answer.warnings:
<p class="notice">{{warning}}</p>
% end
% else:
<p>The teacher has not predicted this record yet.</p>
% end
</section>
</div>
% if record.observations:
% labelled = sum(record.labels.values())
% unseen = labelled - sum(row.label is not None for row in record.observations)
<section><h2>Rows</h2>
<p class="soft">The rows of the data with these inputs, the newest first.
% if len(record.labels) > 1:
Labels: {{labels_text(record.labels, regression=regression)[1]}}.
% end
</p>
<div class="wide" tabindex="0" role="region" aria-label="Rows"><table>
<thead><tr><th scope="col">Label</th>
% if spec.id:
<th scope="col">{{spec.id}}</th>
% end
<th scope="col">Origin</th><th scope="col">Since</th></tr></thead><tbody>
% for row in record.observations:
<tr><td>
% if row.label is not None:
{{label_text(row.label, regression=regression)}}
% else:
<span class="soft">–</span>
% end
</td>
% if spec.id:
<td>{{row.row_id if row.row_id is not None else "–"}}</td>
% end
<td>{{row.origin}}</td><td>{{date(row.made_at)}}</td></tr>
% end
</tbody></table></div>
% if unseen > 0:
<p class="soft">and {{format(unseen, ",")}} more with a label</p>
% end
</section>
% end
<section><h2>Enrichments</h2>
% if not record.values:
<p>None yet.</p>
% else:
<div class="wide" tabindex="0" role="region" aria-label="Enrichments"><table>
<thead><tr><th scope="col">Enricher</th><th scope="col">Value</th><th scope="col">Computed</th><th scope="col">Fingerprint</th></tr></thead><tbody>
% for value in record.values:
<tr><th scope="row">{{value.enricher}}</th><td>
% if value.numbers:
<code>{{", ".join("%.4g" % item for item in value.value)}}</code>{{", … %d numbers" % value.numbers if value.numbers > len(value.value) else ""}}
% elif value.enricher in neighbours:
% for neighbour in neighbours[value.enricher]:
<a href="/records/{{name}}/{{neighbour.key}}">{{label_text(neighbour.label, regression=regression)}}</a> <span class="soft">{{"%.2f" % neighbour.similarity}}</span><br>
% end
% if not neighbours[value.enricher]:
<span class="soft">none</span>
% end
% else:
<code>{{json.dumps(value.value, ensure_ascii=False)}}</code>
% end
</td><td>{{date(value.made_at)}}</td><td><code title="{{value.fingerprint}}">{{value.fingerprint[:8]}}</code> <span class="badge {{'fine' if value.is_fresh else 'warn'}}">{{"current" if value.is_fresh else "older"}}</span></td></tr>
% end
</tbody></table></div>
% end
% for entry in record.refused:
<p class="notice">Quarantined {{date(entry.made_at)}} for {{entry.enricher or "every enricher"}}: {{entry.reason}}</p>
% end
</section>
<section><h2>Delete this record</h2>
<p>Deletes the record and everything derived from it, permanently. This needs a key from <code>API_KEYS</code>.</p>
<form class="filter" method="post" action="/forget/{{name}}/{{record.key}}">
<label><span>API key</span><input name="api_key" type="password" autocomplete="off" required></label>
<button class="danger">Delete record</button>
</form></section>
