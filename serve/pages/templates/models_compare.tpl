% rebase('layout')
% name = dataset
% from serve.pages.formatting import count, decimals_for, number
% from serve.pages.models.scores import MEASURE_NAMES, RISING_MEASURES, ROLES, difference_decimals, difference_text, is_better
% from serve.pages.models.verdict_text import change_sentence, warning_sentences
% MOST_LABELS = 60
% comparison = found.comparison
% first, second = f"{name}@{before.version}", f"{name}@{after.version}"
<h1>{{_("{first} and {second}").format(first=first, second=second)}}</h1>
<p><a href="/models/{{name}}">{{_("All versions")}}</a> · <a href="/models/{{name}}/{{before.version}}">{{first}}</a> · <a href="/models/{{name}}/{{after.version}}">{{second}}</a> · <a href="/models/{{name}}/{{after.version}}..{{before.version}}">{{_("the other way round")}}</a></p>
% if comparison:
% is_one_model = comparison.measures["student"] == comparison.measures["teacher"]
% for role, measures in comparison.measures.items():
% for measure in ("accuracy", "mae"):
% if measure in measures and not (is_one_model and role == "student"):
<p class="headline"><strong>{{change_sentence(measure, role, measures[measure])}}</strong></p>
% end
% end
% end
<p>{{ngettext("Measured on {count} record that both answered out of fold, by the labels of today.", "Measured on {count} records that both answered out of fold, by the labels of today.", comparison.records).format(count=count(comparison.records))}}
% if found.common_records > comparison.records:
{{_("They are a sample of {count}.").format(count=count(found.common_records))}}
% end
</p>
% else:
% for role, difference in (("teacher", teacher), ("student", student)):
% if difference:
<p class="headline"><strong>{{change_sentence("mae" if "mse" in after.metrics["teacher"] else "accuracy", role, difference)}}</strong></p>
% end
% end
<p class="notice">{{_("The answers of both to the same records are not there to be compared: the store keeps them for the active version, the one active before it, and the newest. So the differences take both versions as measured on different rows, and their standard errors are too large.")}}</p>
% end
% for model, version in ((before, first), (after, second)):
% for sentence in warning_sentences(model.metrics):
<p class="notice">{{version}}{{colon}}{{sentence}}</p>
% end
% end
<h2>{{_("Which one answers")}}</h2>
% for model in (before, after):
% include('models_activate', name=name, model=model, may_change=may_change)
% end
% include('retrain', name=name, has_model=True, may_change=may_change)
% if comparison:
<h2>{{_("Scores")}}</h2>
<p class="soft">{{_("Each change has its standard error. One of less than two standard errors may be chance.")}}</p>
<div class="wide" tabindex="0" role="region" aria-label="{{_("Scores of both versions")}}"><table>
<thead><tr><th scope="col">{{_("Score")}}</th><th scope="col" class="n">{{first}}</th><th scope="col" class="n">{{second}}</th><th scope="col" class="n">{{_("Change")}}</th></tr></thead><tbody>
% for role, measures in comparison.measures.items():
% for measure, difference in measures.items():
% digits = 3 if comparison.labels else difference_decimals(difference)
<tr><th scope="row">{{_(ROLES[role])}}{{colon}}{{_(MEASURE_NAMES[measure])}}</th><td class="n">{{number(difference.before, digits)}}</td><td class="n">{{number(difference.after, digits)}}</td><td class="n {{is_better(difference, rising=measure in RISING_MEASURES)}}">{{difference_text(difference, digits)}}</td></tr>
% end
% end
</tbody></table></div>
% if comparison.labels:
<h2>{{_("The teachers, by label")}}</h2>
<p class="soft">{{_("The largest change of F1 stands first.")}}</p>
<div class="wide" tabindex="0" role="region" aria-label="{{_("Scores of each label in both versions")}}"><table>
<thead><tr><th scope="col">{{_("Label")}}</th><th scope="col" class="n">{{_("Rows")}}</th>
% for measure in (_("Recall"), _("Precision"), _("F1")):
<th scope="col" class="n">{{measure}}</th><th scope="col" class="n">{{_("Change")}}</th>
% end
</tr></thead><tbody>
% for one in comparison.labels[:MOST_LABELS]:
<tr><th scope="row">{{one.label}}</th><td class="n">{{count(one.rows)}}</td>
% for difference in (one.recall, one.precision, one.f1):
<td class="n">{{number(difference.before, 2)}} → {{number(difference.after, 2)}}</td><td class="n {{is_better(difference, rising=True)}}">{{difference_text(difference)}}</td>
% end
</tr>
% end
</tbody></table></div>
% end
% is_numeric = not comparison.labels
<h2>{{_("Records with another error") if is_numeric else _("Records mended and broken")}}</h2>
% if is_numeric:
<p>{{ngettext("The error of {count} record is smaller", "The errors of {count} records are smaller", comparison.mended_count).format(count=count(comparison.mended_count))}}, {{ngettext("that of {count} record is larger", "those of {count} records are larger", comparison.broken_count).format(count=count(comparison.broken_count))}}.</p>
% else:
<p>{{ngettext("{count} record is mended: only {version} is right.", "{count} records are mended: only {version} is right.", comparison.mended_count).format(count=count(comparison.mended_count), version=second)}} {{ngettext("{count} record is broken: only {version} was right.", "{count} records are broken: only {version} was right.", comparison.broken_count).format(count=count(comparison.broken_count), version=first)}}</p>
% end
% if not lists_records:
<p class="soft">{{_("Which records these are is shown to who may list records:")}} <a href="/key?next=/models/{{name}}/{{before.version}}..{{after.version}}">{{_("sign in")}}</a></p>
% else:
% digits = decimals_for(comparison.measures["teacher"]["mae"].after) if is_numeric else 0
<div class="columns">
% for text, records in ((_("Smaller error") if is_numeric else _("Mended"), comparison.mended), (_("Larger error") if is_numeric else _("Broken"), comparison.broken)):
% if records:
<section>
<h3>{{text}}</h3>
<p class="soft">{{ngettext("The {count} with the largest change", "The {count} with the largest changes", len(records)).format(count=count(len(records)))}}</p>
<div class="wide" tabindex="0" role="region" aria-label="{{text}}"><table>
% align = "n" if is_numeric else ""
<thead><tr><th scope="col">{{_("Record")}}</th><th scope="col" class="{{align}}">{{_("Label")}}</th><th scope="col" class="{{align}}">{{first}}</th><th scope="col" class="{{align}}">{{second}}</th></tr></thead><tbody>
% for record in records:
<tr><td><a href="/records/{{name}}/{{record.key}}"><code>{{record.key[:8]}}</code></a></td>
% for value in (record.label, record.before, record.after):
<td class="{{align}}">{{number(float(value), digits) if is_numeric else value}}</td>
% end
</tr>
% end
</tbody></table></div>
</section>
% end
% end
</div>
% end
% elif recalls:
<h2>{{_("The recall of the teachers, by label")}}</h2>
<div class="wide" tabindex="0" role="region" aria-label="{{_("Recall of each label in both versions")}}"><table>
<thead><tr><th scope="col">{{_("Label")}}</th><th scope="col" class="n">{{first}}</th><th scope="col" class="n">{{second}}</th><th scope="col" class="n">{{_("Change")}}</th></tr></thead><tbody>
% for label, difference in list(recalls.items())[:MOST_LABELS]:
<tr><th scope="row">{{label}}</th><td class="n">{{number(difference.before)}}</td><td class="n">{{number(difference.after)}}</td><td class="n {{is_better(difference, rising=True)}}">{{difference_text(difference)}}</td></tr>
% end
</tbody></table></div>
% end
