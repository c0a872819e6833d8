% from serve.pages.formatting import count
% from serve.pages.models.confusion import confusion_of
% confusion = confusion_of(metrics)
% has_links = get("has_links", True)
% if confusion:
% if confusion.rows:
<p class="soft">{{_("Rows: the true label. Columns: the answer of the teacher. Green: right. Red: wrong.")}} {{_("Each number leads to its records.") if has_links else ""}}</p>
% end
<div class="confusion">
% if confusion.rows:
<div class="wide" tabindex="0" role="region" aria-label="{{_("Confusion matrix of {name}").format(name=name)}}"><table class="matrix">
<thead><tr><td></td>
% for label in confusion.labels:
<th scope="col"><span>{{label}}</span></th>
% end
</tr></thead><tbody>
% for label, cells in confusion.rows:
<tr><th scope="row">{{label}}</th>
% for cell in cells:
% if not cell.count:
<td></td>
% elif has_links:
<td class="{{cell.tint}}"><a href="/records/{{name}}?label={{!quoted(label)}}&amp;prediction={{!quoted(cell.answer)}}">{{count(cell.count)}}</a></td>
% else:
<td class="{{cell.tint}}">{{count(cell.count)}}</td>
% end
% end
</tr>
% end
</tbody></table></div>
% end
<div class="pairs">
% if confusion.worst:
<p class="soft">{{_("The most frequent mistakes")}}</p>
<ol>
% for pair in confusion.worst:
% words = _("{label} answered as {answer}").format(label=pair.label, answer=pair.answer)
<li>
% if has_links:
<a href="/records/{{name}}?label={{!quoted(pair.label)}}&amp;prediction={{!quoted(pair.answer)}}">{{words}}</a>
% else:
{{words}}
% end
<span class="soft">{{_("{count} of {rows} rows").format(count=count(pair.count), rows=count(pair.rows))}}</span></li>
% end
</ol>
% else:
<p>{{_("No row was answered wrongly.")}}</p>
% end
</div>
</div>
% end
