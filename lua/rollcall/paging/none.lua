-- Paging "none": the whole collection is one body.

local none = {}

none.schema = {}

function none.captures()
  return {}
end

function none.places()
  return {}
end

function none.goes_back()
  return false
end

function none.first()
  return {}
end

function none.apply() end

--- The position of the page after this one: there is none.
function none.after()
  return nil
end

function none.show()
  return nil
end

function none.restore()
  return {}
end

return none
