-- What rollcall promises of its speed, as ratios measured in one run. Each bar names the figures that
-- the parts keep (bench.result), one a Lua where LUA stands in the name. `least` or `most` is the bar,
-- `aim` where we would like to be.

local FIELDS = "3 fields of each user, CPU against cjson"
local VALUES = "3 fields of each, by values, CPU against cjson"

return {
  { part = "decode", figure = "decode.lua5.4.tesouro.fields", text = "decode: " .. FIELDS, least = 6, aim = 8 },
  { part = "decode", figure = "decode.luajit.tesouro.fields", text = "decode: " .. FIELDS, least = 4.5, aim = 6 },
  { part = "decode", figure = "decode.LUA.dintero.fields", text = "decode, users of 2 KB with roles: " .. FIELDS,
    least = 8, aim = 12 },
  { part = "decode", figure = "decode.lua5.4.tesouro.values", text = "decode: " .. VALUES, least = 6, aim = 8 },
  { part = "decode", figure = "decode.luajit.tesouro.values", text = "decode: " .. VALUES, least = 4.5, aim = 6 },
  { part = "decode", figure = "decode.LUA.dintero.values", text = "decode, users of 2 KB with roles: " .. VALUES,
    least = 8, aim = 12 },
  { part = "decode", figure = "decode.LUA.tesouro.totable", text = "totable of every user, CPU against cjson",
    least = 1, aim = 1.3 },
  { part = "decode", figure = "decode.LUA.dintero.totable", text = "totable of users of 2 KB, CPU against cjson",
    least = 1, aim = 1.3 },
  { part = "walk", figure = "walk.LUA.floor", text = "walk: wall time against libcurl alone", most = 1.25,
    aim = 1.1 },
  { part = "walk", figure = "walk.LUA.luasocket", text = "walk: wall time of LuaSocket + cjson against ours",
    least = 3.5, aim = 4.5 },
  { part = "body", figure = "body.LUA.peak", text = "1 GB array: peak memory of the process, MiB", most = 16,
    aim = 12 },
  { part = "body", figure = "body.LUA.first", text = "1 GB array: ms from the first byte to the first user", most = 10,
    aim = 2 },
  { part = "body", figure = "body.LUA.cpu", text = "1 GB array: CPU a user of reading it whole + cjson against ours",
    least = 6, aim = 8 },
  { part = "latency", figure = "latency.LUA.prefetch", text = "prefetch, 50 ms pages and 30 ms of work, of none",
    most = 0.68, aim = 0.63 },
  { part = "latency", figure = "latency.LUA.merge", text = "64 accounts of 50 ms, 16 at a time, against the ideal",
    most = 1.3, aim = 1.1 },
  { part = "editor", figure = "editor.luajit.p99",
    text = "Neovim during a walk: a 5 ms timer, ms late, 99th percentile", most = 10, aim = 5 },
  { part = "editor", figure = "editor.luajit.worst",
    text = "Neovim during a walk: a 5 ms timer, ms late at worst", most = 50, aim = 10 },
  { part = "editor", figure = "editor.luajit.idle", text = "Neovim with an open client: times woken in 3 s", most = 3,
    aim = 1 }, -- by the end of the measurement
  -- The difference is each round's own: what keeps the machine busy besides, slows both.
  { part = "nginx", figure = "nginx.luajit.slow",
    text = "nginx, 8 walks with pages of 50 ms: a trivial location, ms more than idle, 99th percentile", most = 2,
    aim = 1 },
  { part = "nginx", figure = "nginx.luajit.fast",
    text = "nginx, 8 walks with pages at once: a trivial location, ms more than idle, 99th percentile", most = 2,
    aim = 1 },
  { part = "nginx", figure = "nginx.luajit.memory", text = "nginx, 1,000 aborted requests: KiB more of resident memory",
    most = 1024, aim = 256 }, -- it is the allocator's: some pages, and no more with more requests
  { part = "nginx", figure = "nginx.luajit.descriptors", text = "nginx, 1,000 aborted requests: more open descriptors",
    most = 2, aim = 0 }, -- a connection that is kept alive comes or goes
  { part = "nginx", figure = "nginx.luajit.idle", text = "nginx with 8 open clients: times woken in 5 s", most = 0,
    aim = 0 },
  -- It must be flat; what is flat on a machine that others use too, is set here.
  { part = "growth", figure = "growth.LUA.users", text = "growth: CPU a user at 10^6 users against 10^4",
    most = 1.15, aim = 1 },
  { part = "growth", figure = "growth.LUA.bytes", text = "growth: CPU a byte at 100 KB a user against 1 KB",
    most = 1.15, aim = 1 },
}
