% from serve.pages.formatting import count, number
% from serve.pages.models.scores import LABEL_SCORES, measure_names, score_rows
% from serve.pages.models.verdict_text import verdict_sentence, warning_sentences
% MOST_LABELS = 100
% verdict = verdict_sentence(metrics)
% if verdict:
<p><strong>{{verdict}}</strong></p>
% end
% for sentence in warning_sentences(metrics):
<p class="notice">{{sentence}}</p>
% end
<p class="soft">{{_("All scores are out of fold: measured on rows that the model was not trained on.")}}</p>
<div class="wide" tabindex="0" role="region" aria-label="{{_("Scores of {name}").format(name=name)}}"><table>
<thead><tr><th scope="col">{{_("Model")}}</th>
% for measure in measure_names(metrics):
<th scope="col" class="n">{{_(measure)}}</th>
% end
</tr></thead><tbody>
% for role, scores in score_rows(metrics):
<tr><th scope="row">{{_(role)}}</th>
% for score in scores:
<td class="n">{{score}}</td>
% end
</tr>
% end
</tbody></table></div>
% if metrics.get("fidelity") is not None:
<p>{{_("Agreement of the student with the teacher: {share}").format(share=number(metrics["fidelity"]))}}</p>
% end
% labels = list((metrics.get("teacher") or {}).get("labels", {}).items())
% if labels:
<{{heading}}>{{_("The teacher, by label")}}</{{heading}}>
<div class="wide" tabindex="0" role="region" aria-label="{{_("Scores of each label of {name}").format(name=name)}}"><table>
<thead><tr><th scope="col">{{_("Label")}}</th><th scope="col" class="n">{{_("Rows")}}</th>
% for measure in LABEL_SCORES:
<th scope="col" class="n">{{_(measure)}}</th>
% end
</tr></thead><tbody>
% for label, scores in labels[:MOST_LABELS]:
<tr><th scope="row"><a href="/records/{{name}}?label={{!quoted(label)}}">{{label}}</a></th><td class="n">{{count(scores["rows"])}}</td><td class="n">{{number(scores["precision"])}}</td><td class="n">{{number(scores["recall"])}}</td><td class="n">{{number(scores["f1"])}}</td></tr>
% end
</tbody></table></div>
% if labels[MOST_LABELS:]:
<p class="soft">{{ngettext("and {count} more label", "and {count} more labels", len(labels) - MOST_LABELS).format(count=count(len(labels) - MOST_LABELS))}}</p>
% end
<{{heading}}>{{_("Confusion")}}</{{heading}}>
% include('confusion_matrix', name=name, metrics=metrics, has_links=get("has_links", True))
% end
