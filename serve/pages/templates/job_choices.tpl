<label><span>{{_("Column to predict (may stay empty)")}}</span><input name="target" maxlength="200" autocomplete="off"></label>
<label><span>{{_("Decimal mark, if numbers can be read in two ways")}}</span><select name="decimal"><option value="">{{_("found by itself")}}</option><option value=".">{{_("point")}}</option><option value=",">{{_("comma")}}</option></select></label>
