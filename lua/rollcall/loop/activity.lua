-- What has happened on engines since somebody looked last.

local activity = {}

--- Has something happened on these engines that is not known? It is known then. One that is closed is always news.
---@param seen table<rollcall.Engine, integer> their activity, as it is known
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
