% from serve.pages.svg import share_bar
% from serve.pages.formatting import number
% prediction = answer.answer
<div class="result" data-source="{{prediction.source}}" data-enrichment="{{prediction.enrichment}}">
<p class="headline"><strong>{{prediction.prediction if isinstance(prediction.prediction, str) else number(prediction.prediction)}}</strong> <span class="badge {{prediction.source}}">{{prediction.source}}</span></p>
% if answer.bars:
<table class="bars"><caption class="quiet">Probabilities</caption><tbody>
% for label, share in answer.bars:
<tr><th scope="row">{{label}}</th><td>{{!share_bar(share, prediction.source)}}</td><td class="n">{{"%.1f %%" % (100 * share)}}</td></tr>
% end
</tbody></table>
% end
% for warning in prediction.warnings:
<p class="notice">{{warning}}</p>
% end
<p class="soft">{{prediction.model}} · {{answer.status}} · <a href="{{answer.path}}">JSON</a> · <a href="/records/{{prediction.dataset}}/{{answer.key}}">record</a></p>
</div>
