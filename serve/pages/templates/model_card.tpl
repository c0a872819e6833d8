% from serve.pages.formatting import date, number, trained_rows
% metrics, name = model_card.metrics, served.name
<details id="{{name}}-model" class="model"><summary>Model {{served.model}}: metrics, confusion, history</summary>
<p>Trained {{date(model_card.model.made_at)}} on {{trained_rows(metrics)}}. The teacher, {{metrics.get("estimator", "an estimator")}}, reads {{", ".join(metrics.get("columns", []))}}. All metrics are out of fold.</p>
% if model_card.verdict:
<p>{{model_card.verdict}}</p>
% end
<div class="wide" tabindex="0" role="region" aria-label="Metrics of {{name}}"><table>
% if metrics.get("labels"):
<thead><tr><th scope="col">Model</th><th scope="col" class="n">Accuracy</th><th scope="col" class="n">Macro-F1</th><th scope="col" class="n">Precision</th><th scope="col" class="n">Recall</th></tr></thead><tbody>
% for role in ("teacher", "student", "baseline"):
% scores = metrics.get(role)
% if scores:
<tr><th scope="row">{{role}}</th><td class="n">{{number(scores["accuracy"])}}</td><td class="n">{{number(scores["macro"]["f1"])}}</td><td class="n">{{number(scores["macro"]["precision"])}}</td><td class="n">{{number(scores["macro"]["recall"])}}</td></tr>
% end
% end
% else:
<thead><tr><th scope="col">Model</th><th scope="col" class="n">R²</th><th scope="col" class="n">RMSE</th><th scope="col" class="n">MSE</th></tr></thead><tbody>
% for role in ("teacher", "student", "baseline"):
% scores = metrics.get(role)
% if scores:
<tr><th scope="row">{{role}}</th><td class="n">{{number(scores["r2"])}}</td><td class="n">{{number(scores["rmse"])}}</td><td class="n">{{number(scores["mse"])}}</td></tr>
% end
% end
% end
</tbody></table></div>
% if metrics.get("fidelity") is not None:
<p>Agreement of the student with the teacher: {{number(metrics["fidelity"])}}</p>
% end
% if model_card.labels:
<div class="wide" tabindex="0" role="region" aria-label="Metrics of each label of {{name}}"><table>
<caption>The teacher, by label</caption>
<thead><tr><th scope="col">Label</th><th scope="col" class="n">Rows</th><th scope="col" class="n">Precision</th><th scope="col" class="n">Recall</th><th scope="col" class="n">F1</th></tr></thead><tbody>
% for label, scores in metrics["teacher"]["labels"].items():
<tr><th scope="row"><a href="/records/{{name}}?label={{!quoted(label)}}">{{label}}</a></th><td class="n">{{format(scores["rows"], ",")}}</td><td class="n">{{number(scores["precision"])}}</td><td class="n">{{number(scores["recall"])}}</td><td class="n">{{number(scores["f1"])}}</td></tr>
% end
</tbody></table></div>
% include('confusion_matrix', name=name, model_card=model_card)
% end
<div class="wide" tabindex="0" role="region" aria-label="Versions of {{name}}"><table>
<caption>Versions. To activate another one: <code>python -m enrich activate {{name}}@N</code></caption>
<thead><tr><th scope="col">Version</th><th scope="col">Trained</th><th scope="col" class="n">Rows</th><th scope="col" class="n">Teacher</th><th scope="col" class="n">Student</th></tr></thead><tbody>
% for version in model_card.versions:
% version_metrics = version.metrics
<tr><th scope="row">{{name}}@{{version.version}}
% if version.active:
<span class="badge fine">active</span>
% end
</th><td>{{date(version.made_at)}}</td><td class="n">{{format(version_metrics.get("rows", 0), ",")}}</td>
% for role in ("teacher", "student"):
% scores = version_metrics.get(role) or {}
<td class="n">{{"F1 " + number(scores["macro"]["f1"]) if "macro" in scores else "R² " + number(scores["r2"]) if "r2" in scores else "–"}}</td>
% end
</tr>
% end
</tbody></table></div>
</details>
