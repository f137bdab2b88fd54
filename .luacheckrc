std = "min" -- what Lua 5.1 to 5.4 and LuaJIT share
cache = false
self = false -- a method need not use it
max_line_length = 120

files["spec/**/*_spec.lua"].std = "min+busted"
files["examples/sandbox/**/*.lua"].std = "ngx_lua"
files["examples/nginx/**/*.lua"].std = "ngx_lua"
files["examples/neovim/**/*.lua"].globals = { "vim" }
files["lua/rollcall/loop/*.lua"].read_globals = { "ngx", "vim" }
files["spec/support/in_neovim.lua"].globals = { "vim" }
files["spec/support/in_nginx.lua"].std = "ngx_lua"
files["spec/bench/tasks/editor.lua"].globals = { "vim" }
files["**/*.d.lua"].ignore = { "212", "241" } -- declarations: nothing uses their arguments
