% from serve.pages.formatting import date, number
% m, name = model_card.metrics, served.name
<details id="{{name}}-model" class="model"><summary>Model {{served.model}}: metrics, confusion, history</summary>
<p>Trained {{date(model_card.model.made_at)}} on {{format(m.get("rows", 0), ",")}} labelled rows; the teacher, {{m.get("estimator", "an estimator")}}, reads {{", ".join(m.get("columns", []))}}. All figures are out of fold.</p>
<div class="wide" tabindex="0" role="region" aria-label="Metrics of {{name}}"><table>
% if m.get("labels"):
<thead><tr><th scope="col">Who</th><th scope="col" class="n">Accuracy</th><th scope="col" class="n">Macro-F1</th><th scope="col" class="n">Precision</th><th scope="col" class="n">Recall</th></tr></thead><tbody>
% for who in ("teacher", "student", "baseline"):
% it = m.get(who)
% if it:
<tr><th scope="row">{{who}}</th><td class="n">{{number(it["accuracy"])}}</td><td class="n">{{number(it["macro"]["f1"])}}</td><td class="n">{{number(it["macro"]["precision"])}}</td><td class="n">{{number(it["macro"]["recall"])}}</td></tr>
% end
% end
% else:
<thead><tr><th scope="col">Who</th><th scope="col" class="n">R²</th><th scope="col" class="n">RMSE</th><th scope="col" class="n">MSE</th></tr></thead><tbody>
% for who in ("teacher", "student", "baseline"):
% it = m.get(who)
% if it:
<tr><th scope="row">{{who}}</th><td class="n">{{number(it["r2"])}}</td><td class="n">{{number(it["rmse"])}}</td><td class="n">{{number(it["mse"])}}</td></tr>
% end
% end
% end
</tbody></table></div>
% if m.get("fidelity") is not None:
<p>The student agrees with the teacher: {{number(m["fidelity"])}}</p>
% end
% if model_card.labels:
<div class="wide" tabindex="0" role="region" aria-label="Metrics of each label of {{name}}"><table>
<caption>The teacher, by label</caption>
<thead><tr><th scope="col">Label</th><th scope="col" class="n">Rows</th><th scope="col" class="n">Precision</th><th scope="col" class="n">Recall</th><th scope="col" class="n">F1</th></tr></thead><tbody>
% for label, it in m["teacher"]["labels"].items():
<tr><th scope="row"><a href="/records/{{name}}?label={{!quoted(label)}}">{{label}}</a></th><td class="n">{{format(it["rows"], ",")}}</td><td class="n">{{number(it["precision"])}}</td><td class="n">{{number(it["recall"])}}</td><td class="n">{{number(it["f1"])}}</td></tr>
% end
</tbody></table></div>
% if model_card.matrix:
<div class="wide" tabindex="0" role="region" aria-label="Confusion of {{name}}"><table class="matrix">
<caption>Labels, a row each, and what the teacher answered, a column each; a number leads to its records</caption>
<thead><tr><td></td>
% for label in model_card.labels:
<th scope="col"><span>{{label}}</span></th>
% end
</tr></thead><tbody>
% for label, row in zip(model_card.labels, model_card.matrix):
% whole = sum(row) or 1
<tr><th scope="row">{{label}}</th>
% for answer, count in zip(model_card.labels, row):
<td class="n h{{min(4, -(-5 * count // whole) - 1) if count else 'no'}}">
% if count:
<a href="/records/{{name}}?label={{!quoted(label)}}&amp;prediction={{!quoted(answer)}}">{{format(count, ",")}}</a>
% end
</td>
% end
</tr>
% end
</tbody></table></div>
% else:
<p>Confused most by the teacher:</p><ul>
% for label, answer, count in model_card.confused:
<li><a href="/records/{{name}}?label={{!quoted(label)}}&amp;prediction={{!quoted(answer)}}">{{label}} as {{answer}}</a>: {{format(count, ",")}}</li>
% end
</ul>
% end
% end
<div class="wide" tabindex="0" role="region" aria-label="Versions of {{name}}"><table>
<caption>Versions; go back with <code>python -m enrich activate {{name}}@N</code></caption>
<thead><tr><th scope="col">Version</th><th scope="col">Trained</th><th scope="col" class="n">Rows</th><th scope="col" class="n">Teacher</th><th scope="col" class="n">Student</th></tr></thead><tbody>
% for version in model_card.versions:
% v = version.metrics
<tr><th scope="row">{{name}}@{{version.version}}
% if version.active:
<span class="badge fine">active</span>
% end
</th><td>{{date(version.made_at)}}</td><td class="n">{{format(v.get("rows", 0), ",")}}</td>
% for who in ("teacher", "student"):
% it = v.get(who) or {}
<td class="n">{{"F1 " + number(it["macro"]["f1"]) if "macro" in it else "R² " + number(it["r2"]) if "r2" in it else "–"}}</td>
% end
</tr>
% end
</tbody></table></div>
</details>
