% rebase('layout')
% from serve.pages.formatting import ago, count, duration, percent
% from serve.pages.guide.term import term
% from serve.pages.home.dataset_counts import MOST_LOOKED_UP, count_text
% from serve.pages.language.data_language import lang_attribute
% from serve.pages.svg import share_bar
% served, counts, answered, now = panel.served, panel.counts, panel.answered, data.now
% name, spec = served.name, served.spec
<h1>{{spec.title or name}}</h1>
% if warning:
<p class="notice">{{warning}}</p>
% end
% include('dataset_card', panel=panel, now=now, level=2, explains=True)
<section id="{{name}}-records" data-live>
<h2>{{_("Records")}}</h2>
<dl class="facts">
<dt>{{_("Inputs")}}</dt><dd>{{", ".join(spec.fields)}}</dd>
<dt>{{_("To predict")}}</dt><dd>{{spec.target}}</dd>
<dt>{{!term("record", _("Records"))}}</dt><dd>{{count_text(counts.records)}}</dd>
<dt>{{!term("label", _("With a label"))}}</dt><dd>{{count_text(counts.labelled)}}</dd>
<dt>{{!term("asked", _("Asked for"))}}</dt><dd>{{count_text(counts.asked, MOST_LOOKED_UP)}}
% both = counts.asked_and_labelled
% if both:
<span class="soft">{{_("{count} of them have a label as well, and count in both numbers").format(count=count(both))}}</span>
% end
</dd>
</dl>
</section>
<div class="columns">
<section id="{{name}}-coverage" data-live>
<h2>{{_("Enrichment")}}</h2>
% if not panel.coverage:
<p class="soft">{{_("There is nothing to enrich: the model reads the inputs alone, and answers at once.")}}</p>
% else:
<div class="wide" tabindex="0" role="region" aria-label="{{_("Enrichment of {dataset}").format(dataset=name)}}"><table class="shares">
<thead><tr><th scope="col">{{!term("enricher", _("Enricher"))}}</th><th scope="col" class="n">{{!term("fresh", _("Fresh"))}}</th><th scope="col"><span class="quiet">{{_("Share")}}</span></th><th scope="col" class="n">{{!term("backlog", _("Backlog"))}}</th><th scope="col">{{_("Time left")}}</th></tr></thead>
<tbody>
% for row in panel.coverage:
% it = row.count
<tr class="{{'old' if row.is_old else ''}}"><th scope="row">{{it.enricher}}</th><td class="n">{{_("{fresh} of {records}").format(fresh=count(it.fresh), records=count(it.records))}}</td><td>{{!share_bar(it.fresh / it.records if it.records else 1.0)}}</td><td class="n">{{count(it.backlog)}}</td><td>{{"–" if not it.backlog or row.seconds_left is None else "≈ " + duration(row.seconds_left)}}</td></tr>
% end
</tbody></table></div>
<p class="soft">{{_("Counted {ago}.").format(ago=ago(panel.counted_at, now))}}
% if any(row.is_old for row in panel.coverage):
{{_("Grey figures are older than a minute.")}}
% end
</p>
% end
</section>
<section id="{{name}}-served" data-live>
<h2>{{_("Predictions of the last 24 hours")}}</h2>
% if not answered.total:
<p class="soft">{{_("None yet.")}}</p>
% else:
<div class="wide" tabindex="0" role="region" aria-label="{{_("Predictions of {dataset}").format(dataset=name)}}"><table class="shares">
<thead><tr><th scope="col">{{_("Prediction")}}</th><th scope="col" class="n">{{_("Times")}}</th><th scope="col"><span class="quiet">{{_("Bar")}}</span></th><th scope="col" class="n">{{_("Share")}}</th></tr></thead><tbody>
% for prediction, times in answered.predictions[:30]:
<tr><th scope="row"{{!lang_attribute(spec)}}>{{prediction}}</th><td class="n">{{count(times)}}</td><td>{{!share_bar(times / answered.total)}}</td><td class="n">{{percent(times / answered.total, 1)}}</td></tr>
% end
</tbody></table></div>
<p><a href="/over-time/{{name}}">{{_("By hour, by day, and over 90 days")}}</a></p>
% end
</section>
</div>
