% if model_card.matrix:
<div class="wide" tabindex="0" role="region" aria-label="Confusion of {{name}}"><table class="matrix">
<caption>Rows: true label. Columns: the teacher's prediction. Each number links to its records.</caption>
<thead><tr><td></td>
% for label in model_card.labels:
<th scope="col"><span>{{label}}</span></th>
% end
</tr></thead><tbody>
% for label, row in zip(model_card.labels, model_card.matrix):
% row_total = sum(row) or 1
<tr><th scope="row">{{label}}</th>
% for answer, count in zip(model_card.labels, row):
<td class="n h{{min(4, -(-5 * count // row_total) - 1) if count else 'no'}}">
% if count:
<a href="/records/{{name}}?label={{!quoted(label)}}&amp;prediction={{!quoted(answer)}}">{{format(count, ",")}}</a>
% end
</td>
% end
</tr>
% end
</tbody></table></div>
% else:
<p>The teacher's most frequent confusions:</p><ul>
% for label, answer, count in model_card.confused:
<li><a href="/records/{{name}}?label={{!quoted(label)}}&amp;prediction={{!quoted(answer)}}">{{label}} as {{answer}}</a>: {{format(count, ",")}}</li>
% end
</ul>
% end
