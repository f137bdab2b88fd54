-- The sandbox's settings: their defaults are set at its start, and the control port changes them at run time.

local settings = {}

local changed = ngx.shared.settings

-- Built-in defaults by name; all are numbers, 0 switches off.
local defaults = {
  tesouro_expires_in = 3600,    -- seconds that a token is valid
  dintero_expires_in = 14400,
  rate_limit = 30,              -- Tesouro's users requests per second and client
  dintero_rate_limit = 0,       -- Dintero documents 429, but no figure
  delay_ms = 0,                 -- before each answer to a users request
  short_pages = 1,              -- whether some of Tesouro's pages are short or empty
}

local function check(name, text)
  if not defaults[name] then return nil, ("there is no setting %q"):format(name) end
  local value = tonumber(text)
  if not value or value < 0 or value >= 2 ^ 31 then
    return nil, ("%s takes a number that is not negative, not %q"):format(name, tostring(text))
  end
  return value
end

-- Reads the defaults of this sandbox from a file of NAME=VALUE lines; raises what is wrong with them.
function settings.load(path)
  for line in io.lines(path) do
    local name, text = line:match "^([^=]*)=(.*)$"
    local value, mistake = check(name or line, text)
    if not value then error(mistake, 0) end
    defaults[name] = value
  end
end

function settings.get(name)
  return changed:get(name) or defaults[name]
end

-- Sets all of them or, if one is wrong, none: returns true, or nil and why.
function settings.set(values)
  local checked = {}
  for name, text in pairs(values) do
    local value, mistake = check(name, text)
    if not value then return nil, mistake end
    checked[name] = value
  end
  for name, value in pairs(checked) do changed:set(name, value) end
  return true
end

function settings.all()
  local values = {}
  for name in pairs(defaults) do values[name] = settings.get(name) end
  return values
end

-- Restores the defaults of this sandbox.
function settings.reset()
  changed:flush_all()
end

return settings
