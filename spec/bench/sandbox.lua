-- The running sandbox, as the benchmarks use it: its tokens, given to all contenders alike, and its
-- settings.

local cjson = require "cjson"
local http = require "spec.support.http"

local sandbox = {
  tesouro_url = os.getenv "SANDBOX_TESOURO_URL",
  tesouro_https_url = os.getenv "SANDBOX_TESOURO_HTTPS_URL",
  ca_file = os.getenv "SANDBOX_CA_FILE",
  dintero_url = os.getenv "SANDBOX_DINTERO_URL",
}

local id, secret = os.getenv "SANDBOX_CLIENT_ID", os.getenv "SANDBOX_CLIENT_SECRET"

local function escape(text)
  return (text:gsub("[^%w_.-]", function(char)
    return ("%%%02X"):format(char:byte())
  end))
end

local function token(options)
  options.method = "POST"
  local answer = http.request(options)
  assert(answer.status == 200, answer.body)
  return cjson.decode(answer.body).access_token
end

function sandbox.tesouro_token()
  return token {
    url = sandbox.tesouro_url .. "/openid/connect/token",
    headers = { "Content-Type: application/x-www-form-urlencoded" },
    body = ("grant_type=client_credentials&client_id=%s&client_secret=%s"):format(escape(id), escape(secret)),
  }
end

function sandbox.dintero_token(account)
  local credentials = ("//%s:%s@"):format(escape(id), escape(secret))
  local url = sandbox.dintero_url:gsub("//", function()
    return credentials
  end)
  return token {
    url = ("%s/v1/accounts/%s/auth/token"):format(url, account),
    headers = { "Content-Type: application/json" },
    body = cjson.encode {
      grant_type = "client_credentials",
      audience = "https://api.dintero.com/v1/accounts/" .. account,
    },
  }
end

--- Changes settings, such as "delay_ms=50"; the others go back to those of the start.
function sandbox.configure(settings)
  for _, target in ipairs { "/reset", "/config?" .. settings } do
    local answer = http.request { method = "POST", url = os.getenv "SANDBOX_CONTROL_URL" .. target }
    assert(answer.status == 200, answer.body)
  end
end

--- The organization of so many users.
function sandbox.organization(count)
  return ("99999999-0000-4000-8000-%012d"):format(count)
end

--- The account of so many users.
function sandbox.account(count)
  return ("T9%07d"):format(count)
end

return sandbox
