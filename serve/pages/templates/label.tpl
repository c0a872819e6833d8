% rebase('layout')
% from serve.api.query import as_text
% from serve.pages.formatting import count, exact_decimals, field_title, interval_decimals, interval_text, number, percent, row_ids_text, usual_decimals
% from serve.pages.labelling.label_choice import KEYS
% from serve.pages.labelling.label_progress import MOST_COUNTED
% name, spec = served.name, served.spec
% regression = spec.kind == "regression"
% shown_number = lambda value: number(value, min(exact_decimals(value), usual_decimals(value)))
<script defer src="/docs/label.js"></script>
<h1>{{_("Label {dataset}").format(dataset=spec.title or name)}}</h1>
<p class="quiet" id="label-status" role="status" data-silent="{{_("No response. Is the server running?")}}"></p>
<div id="labelling" tabindex="-1">
<nav class="orders" aria-label="{{_("What to label first")}}">
% for order, text in orders.items():
<a href="/label/{{name}}?order={{order}}" {{!'aria-current="true"' if order == wanted.order else ""}}>{{_(text.name)}}</a>
% end
</nav>
<p class="soft">{{_(orders[wanted.order].about) if wanted.order in orders else ""}}
% if record and counts.waiting > MOST_COUNTED:
{{_("More than {count} wait.").format(count=count(MOST_COUNTED))}}
% elif record and counts.uncertain:
{{_("{count} wait, {uncertain} of them uncertain.").format(count=count(counts.waiting), uncertain=count(counts.uncertain))}}
% elif record:
{{ngettext("{count} waits.", "{count} wait.", counts.waiting).format(count=count(counts.waiting))}}
% end
</p>
% if problem:
<p class="notice" role="alert">{{problem}}</p>
% end
% if not may_label:
% if has_api_keys:
<p class="notice">{{_("To label, sign in with an API key.")}} <a href="/key?next={{quoted(wanted.path(name))}}">{{_("Sign in")}}</a></p>
% else:
<p class="notice">{{_("To label, an API key is needed: set API_KEYS and restart this server.")}}</p>
% end
% end
% if not record:
<p>{{_("Nothing is left to label in this order. Choose another one, or come back later.")}}</p>
% else:
<div class="columns">
<section><h2>{{_("Record")}}</h2>
<dl class="facts record">
% if record.row_ids.count:
<dt>{{spec.id or _("Row")}}</dt><dd>{{row_ids_text(record.row_ids)}}</dd>
% end
% for field, value in record.inputs.items():
<dt>{{field_title(spec, field)}}</dt><dd>{{as_text(value) or "–"}}</dd>
% end
% if record.label is not None:
<dt>{{_("Label now")}}</dt><dd>{{shown_number(float(record.label)) if regression else record.label}}</dd>
% end
</dl>
<p><a href="/records/{{name}}/{{record.key}}">{{_("All about this record")}}</a></p>
</section>
<section><h2>{{spec.target}}</h2>
% if may_label:
% if choices:
<form class="choices" method="post" action="/label/{{name}}">
<input type="hidden" name="key" value="{{record.key}}"><input type="hidden" name="order" value="{{wanted.order}}">
% for choice in choices:
<button class="choice" name="label" value="{{choice.label}}" data-key="{{choice.key}}" aria-keyshortcuts="{{choice.key}}"><kbd>{{choice.key}}</kbd> {{choice.label}}</button>
% end
</form>
% end
% if regression or not spec.labels or len(labels) > len(KEYS):
<form class="look-up" method="post" action="/label/{{name}}">
<input type="hidden" name="key" value="{{record.key}}"><input type="hidden" name="order" value="{{wanted.order}}">
% if regression:
<label><span>{{_("The right number")}}</span><input name="label" type="number" step="any" required autofocus autocomplete="off"
% if spec.target_format:
aria-describedby="label-unit"
% end
></label>
% else:
<label><span>{{_("Another label") if choices else _("Label")}}</span><input name="label" list="all-labels" maxlength="200" required autocomplete="off" data-search aria-keyshortcuts="/"></label>
<datalist id="all-labels">
% for label in labels:
<option value="{{label}}"></option>
% end
</datalist>
% end
<button>{{_("Save")}}</button>
% if regression and spec.target_format:
<p class="soft" id="label-unit">{{_("The data writes 1234.5 as {example}; enter only the number.").format(example=spec.target_format)}}</p>
% end
</form>
% end
<form class="choices" method="post" action="/label/{{name}}">
<input type="hidden" name="key" value="{{record.key}}"><input type="hidden" name="order" value="{{wanted.order}}">
<button class="choice" name="action" value="skip" data-key="s" aria-keyshortcuts="s"><kbd>s</kbd> {{_("Skip")}}</button>
<button class="choice" name="action" value="unsure" data-key="n" aria-keyshortcuts="n"><kbd>n</kbd> {{_("Not sure")}}</button>
% if can_undo:
<button class="choice" name="action" value="undo" data-key="u" aria-keyshortcuts="u Control+z"><kbd>u</kbd> {{_("Undo the last label")}}</button>
% end
</form>
% end
% if answer:
% if answer.is_held_out:
<p>{{_("The model, trained without this label, answers {answer}.").format(answer=shown_number(answer.prediction) if regression else answer.prediction)}}</p>
% elif answer.interval:
% digits = interval_decimals(answer.interval, answer.prediction)
<p>{{_("{model} answers {answer}, {interval}.").format(model=answer.model, answer=number(answer.prediction, digits), interval=interval_text(answer.interval, digits))}}</p>
% else:
<p>{{_("{model} answers {answer}.").format(model=answer.model, answer=shown_number(answer.prediction) if regression else answer.prediction)}}</p>
% end
% if answer.shares:
% from serve.pages.svg import share_bar
<table class="bars"><caption class="quiet">{{_("Probabilities")}}</caption><tbody>
% for label, share in list(answer.shares.items())[:5]:
<tr><th scope="row">{{label}}</th><td>{{!share_bar(share, "teacher")}}</td><td class="n">{{percent(share, 1)}}</td></tr>
% end
</tbody></table>
% end
% else:
<p class="soft">{{_("There is no model yet.")}}</p>
% end
</section>
</div>
% end
% if may_label and can_undo and not record:
<form class="choices" method="post" action="/label/{{name}}">
<input type="hidden" name="order" value="{{wanted.order}}">
<button class="choice" name="action" value="undo" data-key="u" aria-keyshortcuts="u Control+z"><kbd>u</kbd> {{_("Undo the last label")}}</button>
</form>
% end
<section><h2>{{_("Progress")}}</h2>
% if progress.model:
<p>{{ngettext("{count} label since {model}; retrain at {goal}.", "{count} labels since {model}; retrain at {goal}.", progress.given).format(count=count(progress.given), model=progress.model, goal=count(progress.goal))}}</p>
% else:
<p>{{ngettext("{count} label; train at {goal}.", "{count} labels; train at {goal}.", progress.given).format(count=count(progress.given), goal=count(progress.goal))}}</p>
% end
<progress aria-label="{{_("Labels until the next training")}}" max="{{progress.goal}}" value="{{min(progress.given, progress.goal)}}"></progress>
% if progress.given >= progress.goal:
<p class="notice">{{_("Enough labels for a better model.")}}</p>
% end
% include('retrain', name=name, has_model=bool(progress.model), may_change=may_label)
</section>
</div>
