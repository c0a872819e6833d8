% from serve.pages.formatting import count, number, percent
% from serve.pages.guide.term import term
% from serve.pages.home.worker_panel import worker_sentence
% from serve.pages.svg import sparkline
% report, condition = panel.report, panel.condition
<article class="worker" aria-label="{{_("Worker {worker}").format(worker=report.id)}}">
<h3>{{_("Worker {worker} on {host}").format(worker=report.id, host=report.host)}}
% if condition.is_bad:
<span class="badge bad">{{_("failing") if condition.state == "failing" else _("silent")}}</span>
% else:
<span class="badge {{'fine' if report.state == "open" else 'warn'}}">{{!term("gate") if first else _("gate")}}{{colon}}{{_(gate_words.get(report.state, report.state))}}</span>
% end
</h3>
<p class="{{'bad' if condition.is_bad else ''}}">{{worker_sentence(panel, now, shows_rows=shows_rows)}}.</p>
% if condition.is_bad and (shows_rows or condition.state == "silent"):
<p>{{_("What to do:")}} {{condition.remedy}}</p>
% end
<p class="soft">{{_("Gate open {share} of the time; {records} records enriched, {rate} per second of work.").format(share=percent(report.open_share), records=count(report.records), rate=number(report.rate, 0))}}</p>
% if panel.charts:
<ul class="sparks">
% for chart in panel.charts:
<li>{{!sparkline(chart.points, span, chart.top, chart.limits)}}<span>{{chart.title}} <b>{{chart.latest}}</b> {{chart.limits_text}}</span></li>
% end
</ul>
<p class="soft">{{_("The last hour, ending now on the right. Dashed lines are the limits: work starts within the one, and stops beyond the other.")}}</p>
% else:
<p class="soft">{{_("The readings of the last hour appear here, one every ten seconds.")}}</p>
% end
</article>
