/**
 * The resource policy of the API: which networks requests may come from, and which principals of other accounts may call.
 *
 * Within one account, an Allow in this policy would replace the caller's own permission. So with `access=iam` it allows only
 * callers of other accounts, who need both this Allow and a permission of their own.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html
 */
import { Stack } from 'aws-cdk-lib'
import {
  AccountPrincipal,
  AnyPrincipal,
  ArnPrincipal,
  Effect,
  type IPrincipal,
  PolicyDocument,
  PolicyStatement,
} from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import { type Access, API_ROOT, ROUTES } from '../protocol/routes.ts'
import type { Settings } from './settings.ts'

/** @returns undefined if the API needs no resource policy: it is regional and trusts no other account. */
export function resourcePolicy(scope: Construct, settings: Settings): PolicyDocument | undefined {
  const statements = [
    ...endpointStatements(settings),
    ...trustStatements(scope, 'read', settings.trustedReaders),
    ...trustStatements(scope, 'write', settings.trustedWriters),
  ]
  // With a resource policy, API Gateway denies a preflight that the policy does not allow.
  if (statements.length > 0 && settings.access === 'iam' && settings.corsOrigins.length > 0)
    statements.push(
      invoke({ sid: 'PreflightsAreUnsigned', effect: Effect.ALLOW, resources: ['execute-api:/*/OPTIONS/*'] }),
    )
  return statements.length > 0 ? new PolicyDocument({ statements }) : undefined
}

/** A private API denies every request that bypasses its endpoints. Any authorizer but IAM then decides alone. */
function endpointStatements({ access, vpcEndpointIds }: Settings): PolicyStatement[] {
  if (vpcEndpointIds === undefined) return []
  const deny = invoke({
    sid: 'OnlyThroughEndpoints',
    effect: Effect.DENY,
    resources: ['execute-api:/*'],
    conditions: { StringNotEquals: { 'aws:SourceVpce': [...vpcEndpointIds] } },
  })
  if (access === 'iam') return [deny]
  const allow = invoke({ sid: 'AuthorizerDecides', effect: Effect.ALLOW, resources: ['execute-api:/*'] })
  return [deny, allow]
}

/** Allows principals of other accounts the methods of one access; writers may read, too. */
function trustStatements(scope: Construct, access: Access, trusted: readonly string[]): PolicyStatement[] {
  const sid = access === 'read' ? 'TrustedReaders' : 'TrustedWriters'
  const resources = access === 'read' ? READ_METHODS : ['execute-api:/*']
  const organizations = trusted.filter((name) => name.startsWith('o-'))
  const principals = trusted.filter((name) => !name.startsWith('o-'))
  const statements: PolicyStatement[] = []
  if (principals.length > 0)
    statements.push(invoke({ sid, effect: Effect.ALLOW, principals: principals.map(toPrincipal), resources }))
  if (organizations.length > 0)
    statements.push(
      invoke({
        sid: `${sid}OfOrganizations`,
        effect: Effect.ALLOW,
        resources,
        conditions: {
          StringEquals: { 'aws:PrincipalOrgID': [...organizations] },
          // Callers of this account need a permission of their own.
          StringNotEquals: { 'aws:PrincipalAccount': Stack.of(scope).account },
        },
      }),
    )
  return statements
}

const toPrincipal = (name: string): IPrincipal =>
  /^\d{12}$/.test(name) ? new AccountPrincipal(name) : new ArnPrincipal(name)

/** The methods of the read routes, as resources of the policy: `execute-api:/v1/GET/*`. */
const READ_METHODS = [
  ...new Set(Object.values(ROUTES).flatMap(({ access, method }) => (access === 'read' ? [method] : []))),
].map((method) => `execute-api:${API_ROOT}/${method}/*`)

function invoke({
  principals = [new AnyPrincipal()],
  ...statement
}: ConstructorParameters<typeof PolicyStatement>[0] & { principals?: IPrincipal[] }): PolicyStatement {
  return new PolicyStatement({ ...statement, principals, actions: ['execute-api:Invoke'] })
}
