% from serve.pages.over_time.chart import chart_svg
% # Shows a chart with its legend, and its values as a table; `table` is another chart with fewer steps, or None for no table.
<figure class="chart-figure">
<figcaption>{{chart.title}}</figcaption>
% if chart.is_empty:
<p class="soft">{{_("Nothing to show in this time.")}}</p>
% else:
{{!chart_svg(chart)}}
% if get("legend", True) and len(chart.series) + len(chart.references) > 1:
<p class="legend">
% for series in chart.series:
<span><span class="key {{"line" if series.kind == "line" else ""}} {{series.color}}"></span>{{series.name}}</span>
% end
% for reference in chart.references:
<span><span class="key dashed {{reference.kind}}"></span>{{reference.name}} <span class="soft">{{chart.text(reference.value)}}</span></span>
% end
</p>
% end
% table = get("table", chart)
% if table:
<details><summary>{{_("As a table")}}</summary>
<div class="wide" tabindex="0" role="region" aria-label="{{chart.title}}"><table>
<thead><tr><th scope="col">{{table.step_name}}</th>
% for series in table.series:
<th scope="col" class="n">{{series.name}}</th>
% end
</tr></thead><tbody>
% for at, values in table.rows():
<tr><th scope="row">{{!table.step_tag(at)}}</th>
% for value in values:
<td class="n">{{table.text(value)}}</td>
% end
</tr>
% end
</tbody></table></div></details>
% end
% end
</figure>
