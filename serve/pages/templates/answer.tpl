% from serve.pages.svg import share_bar
% from serve.pages.formatting import interval_text, percent
% prediction = answer.answer
<div class="result" data-source="{{prediction.source}}" data-enrichment="{{prediction.enrichment}}">
<p class="headline"><strong>{{answer.headline}}</strong> <span class="badge {{prediction.source}}">{{_(prediction.source)}}</span></p>
% if isinstance(prediction.interval, tuple):
<p>{{interval_text(prediction.interval, answer.digits)}}</p>
% end
% if answer.bars:
<table class="bars"><caption class="quiet">{{_("Probabilities")}}</caption><tbody>
% for label, share in answer.bars:
<tr><th scope="row">{{label}}</th><td>{{!share_bar(share, prediction.source)}}</td><td class="n">{{percent(share, 1)}}</td></tr>
% end
</tbody></table>
% end
% if answer.reasons:
%   include('reasons', reasons=answer.reasons)
% end
% for warning in prediction.warnings:
<p class="notice">{{warning}}</p>
% end
<p class="soft">{{prediction.model}} · {{answer.status}} · <a href="{{answer.path}}">JSON</a> · <a href="{{answer.path.replace("/predict/", "/explain/", 1)}}">{{_("reasons as JSON")}}</a>
% if answer.key:
 · <a href="/records/{{prediction.dataset}}/{{answer.key}}">{{_("record")}}</a>
% end
</p>
</div>
