<table class="reasons"><caption>{{reasons.title}}</caption>
<thead><tr><th scope="col">{{_("Field")}}</th><th scope="col">{{_("Value")}}</th><th scope="col" class="n">{{_("Amount")}}</th></tr></thead><tbody>
<tr><th scope="row" colspan="2">{{_("An average row")}}</th><td class="n">{{reasons.base}}</td></tr>
% for row in reasons.rows:
<tr><th scope="row">{{row.field}}</th><td>{{row.shown}}</td><td class="n">{{row.amount}}</td></tr>
% end
% if reasons.rest:
<tr><th scope="row" colspan="2">{{_("Everything else")}}</th><td class="n">{{reasons.rest}}</td></tr>
% end
<tr><th scope="row" colspan="2">{{_("Total")}}</th><td class="n">{{reasons.total}}</td></tr>
% if reasons.answered:
<tr><th scope="row" colspan="2">{{_("Answered, since no answer is lower")}}</th><td class="n">{{reasons.answered}}</td></tr>
% end
</tbody></table>
