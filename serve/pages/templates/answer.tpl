% from serve.pages.svg import share_bar
% from serve.pages.formatting import number
% a = answer.answer
<div class="result" data-source="{{a.source}}" data-enrichment="{{a.enrichment}}">
<p class="headline"><strong>{{a.prediction if isinstance(a.prediction, str) else number(a.prediction)}}</strong> <span class="badge {{a.source}}">{{a.source}}</span></p>
% if answer.bars:
<table class="bars"><caption class="quiet">Probabilities</caption><tbody>
% for label, share in answer.bars:
<tr><th scope="row">{{label}}</th><td>{{!share_bar(share, a.source)}}</td><td class="n">{{"%.1f %%" % (100 * share)}}</td></tr>
% end
</tbody></table>
% end
% for warning in a.warnings:
<p class="notice">{{warning}}</p>
% end
<p class="soft">{{a.model}} · {{answer.status}} · <a href="{{answer.path}}">as JSON</a> · <a href="/records/{{a.dataset}}/{{answer.key}}">record</a></p>
</div>
