% from serve.pages.predict_form import controls, in_query, in_words
% name = served.name
<section class="trial" aria-label="Try {{name}}">
<form class="try" method="get" action="/try/{{name}}">
% for control in controls(served.spec, given):
<label><span>{{control.label}}</span>
% if control.kind == "select":
<select name="{{control.name}}">
% for option in control.options:
<option {{!"selected" if option == control.value else ""}} value="{{option}}">{{option or "(left out)"}}</option>
% end
</select>
% elif control.kind == "textarea":
<textarea name="{{control.name}}" rows="2" maxlength="{{control.most}}" {{!"required" if control.required else ""}}>{{control.value}}</textarea>
% else:
<input name="{{control.name}}" type="{{control.type}}" step="{{control.step}}" value="{{control.value}}" {{!'min="%s"' % control.least if control.least is not None else ""}} {{!'max="%s"' % control.most if control.most is not None else ""}} {{!"required" if control.required else ""}}>
% end
</label>
% end
<button>Predict {{served.spec.target}}</button>
</form>
% if examples:
<p class="examples">Examples:
% for example in examples:
<a href="/try/{{name}}?{{in_query(example)}}">{{in_words(example)}}</a>
% end
</p>
% end
<div class="answer" aria-live="polite">
% if answer:
%   include('answer', answer=answer)
% end
</div>
</section>
