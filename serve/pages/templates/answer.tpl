% from serve.pages.svg import share_bar
% from serve.pages.formatting import interval_text
% prediction = answer.answer
<div class="result" data-source="{{prediction.source}}" data-enrichment="{{prediction.enrichment}}">
<p class="headline"><strong>{{answer.headline}}</strong> <span class="badge {{prediction.source}}">{{prediction.source}}</span></p>
% if isinstance(prediction.interval, tuple):
<p>{{interval_text(prediction.interval, answer.digits)}}</p>
% end
% if answer.bars:
<table class="bars"><caption class="quiet">Probabilities</caption><tbody>
% for label, share in answer.bars:
<tr><th scope="row">{{label}}</th><td>{{!share_bar(share, prediction.source)}}</td><td class="n">{{"%.1f %%" % (100 * share)}}</td></tr>
% end
</tbody></table>
% end
% reasons = answer.reasons
% if reasons:
<table class="reasons"><caption>{{reasons.title}}</caption>
<thead><tr><th scope="col">Field</th><th scope="col">Value</th><th scope="col" class="n">Amount</th></tr></thead><tbody>
<tr><th scope="row" colspan="2">An average row</th><td class="n">{{reasons.base}}</td></tr>
% for row in reasons.rows:
<tr><th scope="row">{{row.field}}</th><td>{{row.shown}}</td><td class="n">{{row.amount}}</td></tr>
% end
% if reasons.rest:
<tr><th scope="row" colspan="2">Everything else</th><td class="n">{{reasons.rest}}</td></tr>
% end
<tr><th scope="row" colspan="2">Total</th><td class="n">{{reasons.total}}</td></tr>
% if reasons.answered:
<tr><th scope="row" colspan="2">Answered, since no answer is lower</th><td class="n">{{reasons.answered}}</td></tr>
% end
</tbody></table>
% end
% for warning in prediction.warnings:
<p class="notice">{{warning}}</p>
% end
<p class="soft">{{prediction.model}} · {{answer.status}} · <a href="{{answer.path}}">JSON</a> · <a href="{{answer.path.replace("/predict/", "/explain/", 1)}}">reasons as JSON</a>
% if answer.key:
 · <a href="/records/{{prediction.dataset}}/{{answer.key}}">record</a>
% end
</p>
</div>
