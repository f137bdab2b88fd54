-- An nginx of a spec's own, one worker unless told otherwise, with rollcall on its path.
--
--   local nginx = require("spec.support.nginx").start { server = "location / { … }", http = "…" }
--   … nginx.url .. "/" …
--   nginx:stop()
--
-- Its modules are where the sandbox's are, and its workers know the sandbox's variables.

local core = require "rollcall.core"
local http = require "spec.support.http"

local Nginx = {}
Nginx.__index = Nginx

local nginx = {}

local function output_of(command)
  local pipe = assert(io.popen(command))
  local output = pipe:read "*a"
  pipe:close()
  return output
end
nginx.output_of = output_of

local function read(path)
  local file = io.open(path)
  local text = file and file:read "*a"
  if file then
    file:close()
  end
  return text
end

--- Where the tree is, and where it was built.
function nginx.paths()
  return output_of "pwd":match "^[^\n]+", output_of 'realpath -m "${BUILD:-build}"':match "^[^\n]+"
end

--- Is there a module for nginx's Lua?
function nginx.has_module()
  local _, build = nginx.paths()
  return read(build .. "/luajit/rollcall/core.so") ~= nil
end

--- The lines of the sandbox's own configuration that say which modules to load, and as whom to run.
local function environment()
  local config = assert(read(os.getenv "SANDBOX_CA_FILE":match "^(.*)/tls/" .. "/nginx.conf"))
  local lines = {}
  for line in config:gmatch "[^\n]+" do
    if line:find "^user " or line:find "^load_module " then
      lines[#lines + 1] = line
    end
  end
  return table.concat(lines, "\n")
end

local CONFIG = [[
@ENVIRONMENT@
env SANDBOX_TESOURO_URL;
env SANDBOX_DINTERO_URL;
env SANDBOX_CLIENT_ID;
env SANDBOX_CLIENT_SECRET;
worker_processes @WORKERS@;
pid nginx.pid;
error_log error.log notice;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path tmp;
  proxy_temp_path tmp;
  fastcgi_temp_path tmp;
  uwsgi_temp_path tmp;
  scgi_temp_path tmp;
  lua_package_path "@ROOT@/lua/?.lua;@ROOT@/lua/?/init.lua;@ROOT@/?.lua;;";
  lua_package_cpath "@BUILD@/luajit/?.so;;";
  @HTTP@
  server {
    listen 127.0.0.1:@PORT@ @LISTEN@;
    keepalive_requests 1000000;
    location = /here { return 204; }
    @SERVER@
  }
}
]]

--- Does somebody answer there?
local function answers(url)
  return http.request(url .. "/here").status == 204
end

--- A port that nothing listens on, below those that systems give to outgoing connections.
function nginx.free_port()
  local first = math.floor(core.now() * 1e6) % 20000
  for i = 0, 20000 do
    local port = 10240 + (first + 7 * i) % 20000
    if http.request(("http://127.0.0.1:%d/"):format(port)).failure then
      return port
    end
  end
end

--- Waits until a condition is true; raises after so many seconds, with a text or what a function answers.
function nginx.await(condition, seconds, what)
  local ends_at = core.now() + seconds
  while true do
    local value = condition()
    if value then
      return value
    elseif core.now() > ends_at then
      error(type(what) == "function" and what() or what, 2)
    end
    core.wait({}, 0.01)
  end
end

--- Starts one; returns when it answers.
---@param options { server: string, http: string?, workers: integer? } parts of its configuration
function nginx.start(options)
  local directory = output_of "mktemp -d":match "^[^\n]+"
  local port = nginx.free_port()
  local root, build = nginx.paths()
  local values = {
    ENVIRONMENT = environment(), WORKERS = tostring(options.workers or 1),
    LISTEN = options.workers and "reuseport" or "", -- or one worker may take all connections
    PORT = tostring(port),
    HTTP = options.http or "", SERVER = options.server,
    ROOT = root, BUILD = build,
  }
  local file = assert(io.open(directory .. "/nginx.conf", "w"))
  file:write((CONFIG:gsub("@(%u+)@", values)))
  file:close()
  output_of(("chmod 755 %s; mkdir %s/tmp"):format(directory, directory))
  -- What the specs start runs without their tool.
  local command = "cd %s && PATH=$PATH:/usr/sbin LD_PRELOAD= nginx -p ./ -c %s/nginx.conf -e error.log 2>&1 </dev/null"
  local said = output_of(command:format(directory, directory))
  local self = setmetatable({ directory = directory, url = "http://127.0.0.1:" .. port }, Nginx)
  nginx.await(function()
    return answers(self.url)
  end, 20, function()
    return "nginx did not start: " .. said .. (read(directory .. "/error.log") or "")
  end)
  return self
end

--- What it has logged so far.
function Nginx:log()
  return read(self.directory .. "/error.log")
end

--- The process ids of its workers.
function Nginx:workers()
  local master = assert(read(self.directory .. "/nginx.pid")):match "%d+"
  local list = {}
  for pid in output_of("ps -o pid= --ppid " .. master):gmatch "%d+" do
    list[#list + 1] = tonumber(pid)
  end
  return list
end

--- What its first worker has: KiB of resident memory, and open descriptors.
function Nginx:usage()
  local pid = self:workers()[1]
  local status = assert(read(("/proc/%d/status"):format(pid)))
  local descriptors = output_of(("ls /proc/%d/fd"):format(pid))
  return tonumber(status:match "VmRSS:%s*(%d+)"), select(2, descriptors:gsub("\n", ""))
end

--- New workers take over, and the old ones end when their requests have.
function Nginx:reload()
  output_of("kill -HUP " .. read(self.directory .. "/nginx.pid"):match "%d+")
end

function Nginx:get(target)
  return http.request(self.url .. target)
end

function Nginx:stop()
  local pid = read(self.directory .. "/nginx.pid"):match "%d+"
  output_of("kill -TERM " .. pid)
  nginx.await(function()
    return output_of(("kill -0 %s 2>/dev/null && echo alive"):format(pid)) == ""
  end, 20, "nginx does not end")
  output_of("rm -rf " .. self.directory)
end

return nginx
