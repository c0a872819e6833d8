% rebase('layout')
% if is_signed_in:
<h1>{{_("Signed in")}}</h1>
<p>{{_("This browser is signed in.")}}</p>
<form class="filter" method="post" action="/sign-out">
<button>{{_("Sign out")}}</button>
</form>
% else:
<h1>{{_("Sign in")}}</h1>
<p>{{_("Seeing data may need one of the READ_KEYS of this server; labelling, uploading and activating need one of its API_KEYS.")}} {{_("Ask the person who runs this server for a key.")}}</p>
% if problem:
<p class="notice" role="alert">{{problem}}</p>
% end
<form class="filter" method="post" action="/key">
<input type="hidden" name="next" value="{{following}}">
<label><span>{{_("Key")}}</span><input name="key" type="password" autocomplete="current-password" required autofocus></label>
<button>{{_("Continue")}}</button>
</form>
% end
