% rebase('layout')
<h1>Sign in</h1>
<p>These pages need a key: one of the <code>READ_KEYS</code> or <code>API_KEYS</code>.</p>
% if problem:
<p class="notice" role="alert">{{problem}}</p>
% end
<form class="filter" method="post" action="/key">
<input type="hidden" name="next" value="{{following}}">
<label><span>Key</span><input name="key" type="password" autocomplete="current-password" required autofocus></label>
<button>Continue</button>
</form>
