% rebase('layout')
% import json
% from serve.pages.svg import share_bar
% from serve.api.query import as_text, in_query
% from serve.pages.formatting import count, date, field_title, interval_text, label_text, labels_text, number, percent, row_ids_text, summary_note
% from serve.pages.records.record_answer import ORIGINS
% from serve.pages.time_text import time_tag
% name, spec = served.name, served.spec
% regression = spec.kind == "regression"
<h1>{{_("{dataset}: one record").format(dataset=spec.title or name)}}</h1>
% if problem:
<p class="notice" role="alert">{{problem}}</p>
% end
% if control.given:
<form class="choices" method="post" action="/label/{{name}}/{{record.key}}">
<input type="hidden" name="observation" value="{{control.given.id}}">
% if control.given.is_unsure:
<p role="status">{{_("Noted: you are not sure.")}}</p>
% elif control.given.label is None:
<p role="status">{{_("The label is removed.")}}</p>
% else:
<p role="status">{{_("The label is now {label}.").format(label=label_text(control.given.label, regression=regression))}}</p>
% end
<button class="choice" name="action" value="undo">{{_("Undo")}}</button>
</form>
% end
<div class="columns">
<section><h2>{{_("Record")}}</h2>
<dl class="facts">
% if record.row_ids.count:
<dt>{{spec.id or _("Row")}}</dt><dd>{{row_ids_text(record.row_ids)}}</dd>
% end
% for field, value in record.inputs.items():
<dt>{{field_title(spec, field)}}</dt><dd>
% if value is not None:
{{as_text(value)}}
% else:
<span class="soft">–</span>
% end
</dd>
% end
<dt>{{_("Key")}}</dt><dd><code>{{record.key}}</code></dd>
<dt>{{_("Created")}}</dt><dd>{{!time_tag(record.made_at)}}</dd>
<dt>{{_("Origin")}}</dt><dd>{{_(ORIGINS[record.origin])}}</dd>
<dt>{{_("Asked")}}</dt><dd>{{_("yes: somebody asked for its prediction, so workers take it before others") if record.asked else _("no")}}</dd>
<dt>{{_("State")}}</dt><dd>{{_("up to date") if record.is_fresh else _("waiting for enrichment")}}
% if record.chunk:
<br>{{_("in chunk {number}").format(number=record.chunk)}}
% end
% if record.worker:
<br>{{_("leased to worker {number}").format(number=record.worker)}}
% end
</dd>
% if record.issue:
<dt>{{_("Finding")}}</dt><dd><span class="badge warn">{{_("label issue")}}</span></dd>
% end
% if record.group:
<dt>{{_("Duplicates")}}</dt><dd><a href="/records/{{name}}?group={{record.group}}">{{_("records of its group")}}</a></dd>
% end
</dl>
<p><a href="/try/{{name}}?{{in_query(record.inputs)}}">{{_("Predict now")}}</a> · <a href="/records/{{name}}/{{record.key}}?format=json">JSON</a></p>
</section>
<div>
<section><h2>{{_("Label")}}</h2>
% note = summary_note(record.labels, regression=regression)
<p class="headline">{{spec.target}}{{colon}}<strong>{{label_text(record.label, regression=regression) if record.label is not None else _("none")}}</strong>
% if note:
<span class="soft">{{note}}</span>
% end
</p>
% if control.may_label:
% if control.has_buttons:
<form class="choices" method="post" action="/label/{{name}}/{{record.key}}">
% for label in control.labels:
<button class="choice" name="label" value="{{label}}" {{!'aria-current="true"' if label == record.label else ""}}>{{label}}</button>
% end
</form>
% else:
<form class="look-up" method="post" action="/label/{{name}}/{{record.key}}">
% if regression:
<label><span>{{_("The right number")}}</span><input name="label" type="number" step="any" required autocomplete="off"></label>
% else:
<label><span>{{_("The right label")}}</span><input name="label" list="labels-to-choose" required autocomplete="off"></label>
<datalist id="labels-to-choose">
% for label in control.labels:
<option value="{{label}}"></option>
% end
</datalist>
% end
<button>{{_("Save")}}</button>
</form>
% end
<form class="choices" method="post" action="/label/{{name}}/{{record.key}}">
% if record.label is not None:
<button class="choice" name="action" value="remove">{{_("Remove the label")}}</button>
% end
<button class="choice" name="action" value="unsure">{{_("Not sure")}}</button>
</form>
% elif control.has_api_keys:
<p class="soft">{{_("To change the label, sign in with an API key.")}} <a href="/key?next=/records/{{name}}/{{record.key}}">{{_("Sign in")}}</a></p>
% else:
<p class="soft">{{_("To change the label, an API key is needed: set API_KEYS and restart this server.")}}</p>
% end
</section>
<section><h2>{{_("Prediction")}}</h2>
% if answer:
% stored = answer.answer
<p class="headline"><strong>{{answer.headline}}</strong> <span class="badge {{stored.source}}">{{_(stored.source)}}</span></p>
% if isinstance(stored.interval, tuple):
<p>{{interval_text(stored.interval, answer.digits)}}</p>
% end
% if record.prediction is None and stored.source == "teacher":
<p class="soft">{{stored.model}}, {{_("computed just now")}}</p>
% elif record.prediction is None:
<p class="soft">{{stored.model}}. {{_("The teacher has not predicted this record yet.")}}</p>
% elif record.prediction_fresh:
<p class="soft">{{stored.model}}, {{!time_tag(record.predicted_at)}}</p>
% else:
<p class="soft">{{stored.model}}, {{!time_tag(record.predicted_at)}}; {{_("made by an older model or from older enrichments")}}</p>
% end
% if answer.bars:
<table class="bars"><caption class="quiet">{{_("Probabilities")}}</caption><tbody>
% for label, share in answer.bars:
<tr><th scope="row">{{label}}</th><td>{{!share_bar(share, stored.source)}}</td><td class="n">{{percent(share, 1)}}</td></tr>
% end
</tbody></table>
% end
% for warning in stored.warnings:
<p class="notice">{{warning}}</p>
% end
% else:
<p>{{_("The teacher has not predicted this record yet.")}}</p>
% end
% if record.held_out:
<p>{{_("Out of fold, by a teacher trained without this label:")}} <strong>{{record.answer or number(record.score)}}</strong>{{" " + percent(record.score, 1) if record.answer and record.score is not None else ""}}</p>
% end
</section>
</div>
</div>
% similar = [neighbour for found in neighbours.values() for neighbour in found]
% if answer and answer.reasons or similar:
<section><h2>{{_("Why")}}</h2>
<div class="columns">
% if answer and answer.reasons:
<div>
%   include('reasons', reasons=answer.reasons)
<p class="soft"><a href="{{answer.path.replace("/predict/", "/explain/", 1)}}">{{_("reasons as JSON")}}</a></p>
</div>
% end
% if similar:
<div><table><caption>{{_("The most similar labelled records")}}</caption>
<thead><tr><th scope="col">{{_("Label")}}</th><th scope="col" class="n">{{_("Similarity")}}</th></tr></thead><tbody>
% for neighbour in similar:
<tr><td><a href="/records/{{name}}/{{neighbour.key}}">{{label_text(neighbour.label, regression=regression)}}</a></td><td class="n">{{number(neighbour.similarity, 2)}}</td></tr>
% end
</tbody></table></div>
% end
</div>
</section>
% end
% if record.observations:
% shown = sum(row.label is not None and not row.is_replaced for row in record.observations)
% unseen = sum(record.labels.values()) - shown
% by_people = any(row.author is not None for row in record.observations)
<section><h2>{{_("Rows")}}</h2>
<p class="soft">{{_("The rows of the data with these inputs, and what people said about them, the newest first.")}}
% if len(record.labels) > 1:
{{_("Labels: {labels}.").format(labels=labels_text(record.labels, regression=regression)[1])}}
% end
% if any(row.is_replaced for row in record.observations):
{{_("A replaced label no longer counts; it is kept as history.")}}
% end
</p>
<div class="wide" tabindex="0" role="region" aria-label="{{_("Rows")}}"><table>
<thead><tr><th scope="col">{{_("Label")}}</th>
% if by_people:
<th scope="col">{{_("State")}}</th>
% end
% if spec.id:
<th scope="col">{{spec.id}}</th>
% end
<th scope="col">{{_("Origin")}}</th>
% if by_people:
<th scope="col">{{_("Author")}}</th>
% end
<th scope="col">{{_("Since")}}</th></tr></thead><tbody>
% for row in record.observations:
<tr><td>
% if row.label is not None:
{{label_text(row.label, regression=regression)}}
% else:
<span class="soft">–</span>
% end
</td>
% if by_people:
<td>
% if row.is_replaced:
<span class="soft">{{_("replaced")}}</span>
% elif row.is_unsure:
{{_("not sure")}}
% elif row.label is not None:
{{_("counts")}}
% elif row.author is not None:
{{_("label removed")}}
% else:
<span class="soft">–</span>
% end
</td>
% end
% if spec.id:
<td>{{row.row_id if row.row_id is not None else "–"}}</td>
% end
<td>{{_(ORIGINS[row.origin])}}</td>
% if by_people:
<td>{{row.author or "–"}}</td>
% end
<td>{{!time_tag(row.made_at)}}</td></tr>
% end
</tbody></table></div>
% if unseen > 0:
<p class="soft">{{ngettext("and {count} more with a label", "and {count} more with a label", unseen).format(count=count(unseen))}}</p>
% end
</section>
% end
<section><h2>{{_("Enrichments")}}</h2>
% if not record.values:
<p>{{_("None yet.")}}</p>
% else:
<div class="wide" tabindex="0" role="region" aria-label="{{_("Enrichments")}}"><table>
<thead><tr><th scope="col">{{_("Enricher")}}</th><th scope="col">{{_("Value")}}</th><th scope="col">{{_("Computed")}}</th><th scope="col">{{_("Fingerprint")}}</th></tr></thead><tbody>
% for value in record.values:
<tr><th scope="row">{{value.enricher}}</th><td>
% if value.numbers:
<code>{{", ".join("%.4g" % item for item in value.value)}}</code>{{_(", … {count} numbers").format(count=count(value.numbers)) if value.numbers > len(value.value) else ""}}
% elif value.enricher in neighbours:
% found = neighbours[value.enricher]
{{ngettext("{count} similar record, see above", "{count} similar records, see above", len(found)).format(count=len(found)) if found else _("none")}}
% else:
<code>{{json.dumps(value.value, ensure_ascii=False)}}</code>
% end
</td><td>{{!time_tag(value.made_at)}}</td><td><code title="{{value.fingerprint}}">{{value.fingerprint[:8]}}</code> <span class="badge {{'fine' if value.is_fresh else 'warn'}}">{{_("current") if value.is_fresh else _("older")}}</span></td></tr>
% end
</tbody></table></div>
% end
% for entry in record.refused:
<p class="notice">{{_("Quarantined {date} for {enricher}: {reason}").format(date=date(entry.made_at), enricher=entry.enricher or _("every enricher"), reason=entry.reason)}}</p>
% end
</section>
% if control.has_api_keys:
<section><h2>{{_("Delete this record")}}</h2>
% if control.may_label:
<p>{{_("Deletes the record and everything derived from it, permanently.")}}</p>
% else:
<p>{{_("Deletes the record and everything derived from it, permanently. This needs a key from API_KEYS.")}}</p>
% end
<form class="filter" method="post" action="/forget/{{name}}/{{record.key}}">
% if not control.may_label:
<label><span>{{_("API key")}}</span><input name="api_key" type="password" autocomplete="off" required></label>
% end
<button class="danger">{{_("Delete record")}}</button>
</form></section>
% end
