"""What commands write to a terminal: colours, tables, progress bars, help and times.

Only `command_group` imports click, so the web process can use all the others.
"""
