-- Detects whether something has happened on engines since the last check.

local activity = {}

--- Has something happened on these engines since it was last recorded in `seen`? Records it. A closed engine is always
--- news.
---@param seen table<rollcall.Engine, integer> the first of their `counters`, as last seen
---@param engines rollcall.Engine[]
---@return boolean
function activity.has_news(seen, engines)
  local news = false
  for i = 1, #engines do
    local count = engines[i]:counters()
    if count == nil or count ~= seen[engines[i]] then
      seen[engines[i]] = count
      news = true
    end
  end
  return news
end

return activity
