-- Tesouro: the users of an organization and of all below it, and the organizations, in cursor pages.
-- The organizations' wire facts: https://docs.tesouro.com/embedded-banking/reference/openapi/identity

local TYPES = { "BANK", "EMBEDDED", "PLATFORM", "TRANSACTOR", "VERTICAL_SOFTWARE_PROVIDER" }

local PAGING = {
  type = "cursor",
  query = "PaginationToken",
  next = "/nextPaginationToken",
  previous = "/prevPaginationToken",
  size = "Limit",
  max_size = 100,
}

return {
  name = "tesouro",
  base_url = { production = "https://api.tesouro.com", sandbox = "https://api.sandbox.tesouro.com" },
  auth = {
    type = "client_credentials",
    path = "/openid/connect/token",
    body = "form",
    credentials = "body",
    expired = { status = 400, message = "token has been expired" },
  },
  users = {
    path = "/identity/v1/users",
    items = "/data",
    paging = PAGING,
    filters = {
      status = { query = "Status", enum = { "ACTIVE", "INACTIVE", "INVITED", "ALL" } },
      organization_type = { query = "OrganizationType", enum = TYPES },
      organization_id = { header = "X-Organization-ID", format = "uuid" },
    },
    fields = {
      account_id = "/organizationId",
      account_name = "/organizationName",
      created_at = "/createdDateTime",
      last_seen_at = "/lastLoggedInDateTime",
      role_names = { list = { "/role" } },
    },
  },
  collections = {
    -- Needs the scope org:read:all.
    organizations = {
      path = "/identity/v1/organizations",
      items = "/data",
      paging = PAGING,
      filters = {
        status = { query = "Status", enum = { "ACTIVE", "ALL", "INACTIVE" } },
        type = { query = "Type", enum = TYPES },
        parent_organization_id = { query = "ParentOrganizationId", format = "uuid" },
        organization_id = { query = "OrganizationId", format = "uuid" },
      },
      fields = { name = "/displayName" },
    },
  },
}
