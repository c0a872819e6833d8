% rebase('layout')
% from db.spec.dataset_spec import MAX_ROW_ID_CHARACTERS
% from serve.api.query import as_text
% from serve.pages.formatting import field_title, label_text, labels_text, number, percent, row_ids_text
% from serve.pages.records.listing_table import can_sort, is_number, number_decimals, residual, sort_link, total_text
% chosen, name, spec = query.filter, served.name, served.spec
% regression = spec.kind == "regression"
% decimals = number_decimals(listing.rows) if regression else 0
% sorts = can_sort(total) or bool(query.sort)
<h1>{{_("{dataset}: records").format(dataset=spec.title or name)}}</h1>
<form class="filter" method="get" action="/records/{{name}}">
<label><span>{{_("Show")}}</span><select name="show">
% for show, text in titles.items():
<option value="{{show}}" {{!"selected" if show == chosen.show else ""}}>{{text}}</option>
% end
</select></label>
% if not regression:
% for parameter, text, value in (("label", _("Label"), chosen.label), ("prediction", _("Prediction"), chosen.prediction)):
<label><span>{{text}}</span><select name="{{parameter}}"><option value="">{{_("any")}}</option>
% for label in dict.fromkeys([*labels, *([value] if value else [])]):
<option {{!"selected" if label == value else ""}}>{{label}}</option>
% end
</select></label>
% end
% end
<label><span>{{_("Text in any field")}}</span><input name="q" type="search" value="{{chosen.text}}" maxlength="200"></label>
% if chosen.group:
<label><span>{{_("Group")}}</span><input name="group" value="{{chosen.group}}"></label>
% end
% if query.sort:
<input type="hidden" name="sort" value="{{query.sort}}">
% end
<button>{{_("Filter")}}</button>
</form>
% if spec.id:
<form class="look-up" method="get" action="/records/{{name}}">
<label><span>{{_("Row, by its {id}").format(id=spec.id)}}</span><input name="row" value="{{query.row}}" maxlength="{{MAX_ROW_ID_CHARACTERS}}" required></label>
<button>{{_("Find row")}}</button>
</form>
% end
% if total is not None:
<p><strong>{{total_text(total)}}</strong>
% if query.sort:
· <a href="{{query.path(name, sort="", after="", before="")}}">{{_("in the usual order")}}</a>
% end
</p>
% elif chosen.text:
<p class="soft">{{_("A page searches 5,000 records at a time.")}}</p>
% end
% if any(row.held_out for row in listing.rows):
<p class="soft">{{_("For labelled records this shows the out-of-fold prediction: the teacher that made it was trained without their labels.")}}</p>
% end
% if any(len(row.labels) > 1 for row in listing.rows):
<p class="soft">{{_("A record has the rows of the data with the same inputs, so it may have several labels. A listing goes by their mean.") if regression else _("A record has the rows of the data with the same inputs, so it may have several labels. A listing goes by their most frequent one.")}}</p>
% end
% if not listing.rows:
% if query.row:
<p class="notice" role="alert">{{_("No row has the {id} {value}.").format(id=spec.id, value=query.row)}}</p>
% else:
<p>{{_("No matching records on this page; the next page continues the search.") if listing.after else _("There are no such records.")}}</p>
% end
% else:
<div class="wide" tabindex="0" role="region" aria-label="{{_("Records of {dataset}").format(dataset=name)}}"><table class="listing">
<caption class="quiet">{{titles.get(chosen.show, "")}}</caption>
% columns = [("", _("Key"), ""), *([("", spec.id, "")] if spec.id else []), ("label", spec.target, "n" if regression else ""), ("prediction", _("Prediction"), "n" if regression else "")]
% columns += [("residual", _("Label − prediction"), "n")] if regression else [("confidence", _("Probability"), "n")]
% columns += [(name_of, field_title(spec, name_of), "n" if is_number(field) else "") for name_of, field in spec.fields.items()]
<thead><tr>
% for column, text, kind in columns:
% link = sort_link(name, query, column, text) if column and sorts else None
<th scope="col" class="{{kind}}" {{!f'aria-sort="{link.order}"' if link and link.order else ""}}>
% if link:
<a href="{{link.path}}">{{text}}</a>
% if link.order:
<span aria-hidden="true">{{"▲" if link.order == "ascending" else "▼"}}</span>
% end
% else:
{{text}}
% end
</th>
% end
<th scope="col">{{_("Findings")}}</th></tr></thead>
<tbody>
% for row in listing.rows:
<tr><td><a href="/records/{{name}}/{{row.key}}"><code>{{row.key[:8]}}</code></a></td>
% if spec.id:
<td class="whole">{{row_ids_text(row.row_ids)}}</td>
% end
% short, full = labels_text(row.labels, regression=regression) if row.labels else (label_text(row.label, regression=regression), "")
% if regression and row.label is not None and len(row.labels) <= 1:
% short = number(float(row.label), decimals)
% end
% if full and short != full and len(row.labels) > 1:
<td class="{{"n" if regression else "whole"}}" title="{{full}}">{{short}}</td>
% else:
<td class="{{"n" if regression else "whole"}}">{{short}}</td>
% end
% if regression:
<td class="n">
% if row.score is not None:
{{number(row.score, decimals)}}
% else:
<span class="soft">{{_("not yet")}}</span>
% end
</td><td class="n">{{residual(row, decimals)}}</td>
% else:
<td class="whole">
% if row.answer:
{{row.answer}}
% else:
<span class="soft">{{_("not yet")}}</span>
% end
</td><td class="n">{{percent(row.score) if row.answer and row.score is not None else ""}}</td>
% end
% for field, kind in spec.fields.items():
% text = as_text(row.inputs.get(field))
% if text:
<td class="{{'n' if is_number(kind) else 'text' if len(text) > 30 else ''}}">{{text if len(text) <= 200 else text[:199] + "…"}}</td>
% else:
<td class="{{'n' if is_number(kind) else ''}}"><span class="soft">–</span></td>
% end
% end
<td>
% if row.issue:
<span class="badge warn">{{_("label issue")}}</span>
% end
% if row.group:
<a class="badge" href="/records/{{name}}?group={{row.group}}">{{_("duplicates")}}</a>
% end
% if row.origin == "request":
<span class="badge">{{_("from a request")}}</span>
% end
</td></tr>
% end
</tbody></table></div>
% end
<nav class="pager" aria-label="{{_("Pages of this listing")}}">
% if query.row:
<a href="/records/{{name}}">{{_("All records")}}</a>
% end
% if query.after or query.before:
<a href="{{query.path(name, after='', before='')}}">{{_("First page")}}</a>
% end
% if previous_path:
<a rel="prev" href="{{previous_path}}">{{_("Previous page")}}</a>
% end
% if next_path:
<a rel="next" href="{{next_path}}">{{_("Next page")}}</a>
% end
% if not query.row:
<span class="soft">{{_("All rows of this listing:")}} <a href="{{query.path(name, format='csv', rows='all', after='', before='')}}">CSV</a></span>
% end
<span class="soft">{{_("This page:")}} <a href="{{query.path(name, format='json')}}">JSON</a>, <a href="{{query.path(name, format='csv')}}">CSV</a></span>
</nav>
