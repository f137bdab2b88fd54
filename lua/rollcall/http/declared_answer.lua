-- Answers that a provider declares by status and a string in the body: how it says that there are no users, that a
-- token has expired, or that there were too many requests.

local declared_answer = {}

--- How an answer is recognized: by its status and a string in its body, in any case; or one of several.
---@alias rollcall.DeclaredAnswer { status: integer, message: string }|{ status: integer, message: string }[]

--- Is this an answer that the provider declares?
---@param declared rollcall.DeclaredAnswer?
---@param status integer?
---@param body string?
---@return boolean
function declared_answer.matches(declared, status, body)
  for _, one in ipairs(declared and (declared[1] and declared or { declared }) or {}) do
    if status == one.status and (body or ""):lower():find(one.message:lower(), 1, true) then
      return true
    end
  end
  return false
end

--- The answers in a declaration that may also have words.
---@param value any
---@return { status: integer, message: string }[]
function declared_answer.among(value)
  local list = {}
  for _, one in ipairs(type(value) == "table" and (value[1] and value or { value }) or {}) do
    list[#list + 1] = type(one) == "table" and one or nil
  end
  return list
end

--- The words that `empty` of a collection has for a missing array, by the code of the decoder's error.
declared_answer.empty_words = { not_found = "absent", null_array = "null" }

return declared_answer
