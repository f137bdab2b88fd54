-- The running sandbox, as the specs use it: clients of it, its log, its settings, its data.

package.path = "examples/?.lua;" .. package.path

local cjson = require "cjson"
local http = require "spec.support.http"

local sandbox = {}

local function env(name)
  return assert(os.getenv("SANDBOX_" .. name), "the specs need the sandbox's variables: run them by `make test`")
end

sandbox.tesouro_url, sandbox.tesouro_https_url = env "TESOURO_URL", env "TESOURO_HTTPS_URL"
sandbox.dintero_url, sandbox.dintero_https_url = env "DINTERO_URL", env "DINTERO_HTTPS_URL"
sandbox.control_url, sandbox.ca_file = env "CONTROL_URL", env "CA_FILE"
sandbox.id, sandbox.secret = env "CLIENT_ID", env "CLIENT_SECRET"

--- What the sandbox serves: examples/sandbox/data.lua.
sandbox.data = require "sandbox.data"

local function with(defaults, options)
  for name, value in pairs(options or {}) do
    defaults[name] = value
  end
  return defaults
end

--- A client of the sandbox's Tesouro; `options` go over the usual ones.
function sandbox.tesouro(options)
  return require("rollcall").tesouro(with({
    client_id = sandbox.id,
    client_secret = sandbox.secret,
    base_url = sandbox.tesouro_url,
  }, options))
end

--- A client of the sandbox's Dintero, of the largest account unless `options` name others.
function sandbox.dintero(options)
  local account = not (options and options.accounts) and "T12345678" or nil
  return require("rollcall").dintero(with({
    client_id = sandbox.id,
    client_secret = sandbox.secret,
    account = account,
    base_url = sandbox.dintero_url,
  }, options))
end

local function control(method, target, body)
  local answer = http.request { method = method, url = sandbox.control_url .. target, body = body }
  assert(answer.status == 200, answer.line or answer.body)
  return cjson.decode(answer.body)
end

--- Changes settings, such as "rate_limit=0&delay_ms=5", or "expire=1".
function sandbox.configure(settings)
  return control("POST", "/config?" .. settings)
end

--- Back to the start, with an empty log; without a rate limit unless `settings` has one.
function sandbox.reset(settings)
  settings = "&" .. (settings or "")
  control("POST", "/reset")
  sandbox.configure((settings:find("&rate_limit=", 1, true) and "" or "rate_limit=0") .. settings)
end

--- Plans faults, as examples/sandbox/README.md says; without a plan there are none any more.
function sandbox.plan_faults(plan)
  control("POST", "/faults", plan and cjson.encode(plan) or "{}")
end

--- How often each fault was met: { ["users cut length"] = 3, … }.
function sandbox.faults_met()
  return control("GET", "/faults")
end

--- As it was when it started.
function sandbox.restore()
  control("POST", "/reset")
end

--- The counters: sandbox.stats().tesouro.user_requests.
function sandbox.stats()
  return control("GET", "/stats")
end

--- The last requests, oldest first; of one method and provider, where told.
function sandbox.log(method, provider)
  local list = {}
  for _, entry in ipairs(control("GET", "/log")) do
    if (not method or entry.method == method) and (not provider or entry.provider == provider) then
      list[#list + 1] = entry
    end
  end
  return list
end

return sandbox
