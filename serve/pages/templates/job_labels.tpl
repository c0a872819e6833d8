% from serve.pages.formatting import count
<p>{{ngettext("{count} label", "{count} labels", result["rows"]).format(count=count(result["rows"]))}}{{colon}}{{_("{added} new, {corrected} corrected, {unchanged} known before").format(added=count(result["added"]), corrected=count(result["corrected"]), unchanged=count(result["unchanged"]))}}</p>
% if result["judged"]:
<p><strong>{{ngettext("{count} label was compared with the answer that was given.", "{count} labels were compared with the answers that were given.", result["judged"]).format(count=count(result["judged"]))}}</strong></p>
% elif result["added"]:
<p class="notice">{{_("No label was compared with an answer, since no answer is kept for any of them. Training uses the labels nevertheless.")}}</p>
% end
% if result["records"]:
<p>{{ngettext("{count} record is new: its inputs were not known.", "{count} records are new: their inputs were not known.", result["records"]).format(count=count(result["records"]))}}</p>
% end
% if result["without"]:
<p>{{ngettext("{count} row has no label.", "{count} rows have no label.", result["without"]).format(count=count(result["without"]))}}</p>
% end
% if result["errors"]:
<p class="notice">{{ngettext("{count} row could not be used.", "{count} rows could not be used.", result["errors"]).format(count=count(result["errors"]))}}
% if result["errors"] > len(result["faults"]):
{{_("Below are the first {count} of them.").format(count=count(len(result["faults"])))}}
% end
</p>
% end
<p class="pager"><a href="/production/{{dataset}}">{{_("In production")}}</a> <a href="/production/{{dataset}}#tell">{{_("Send another file")}}</a></p>
