/**
 * The routes table as resources and methods of the gateway. Every resource accepts every method, and `{proxy+}` every other path:
 * unknown requests go to the read function under the same authorization and get our 404 or 405.
 */
import {
  AuthorizationType,
  type IResource,
  LambdaIntegration,
  type RestApi,
} from 'aws-cdk-lib/aws-apigateway'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { type Access, ROUTES } from '../protocol/routes.ts'
import type { MethodAuthorization } from './api-access.ts'

export interface ApiRoutesProps {
  readonly functions: { readonly [A in Access]: IFunction }
  readonly authorize: MethodAuthorization
  /** Preflights carry no credentials, so OPTIONS is open to everyone where web pages may call. */
  readonly openOptions: boolean
}

/**
 * Adds a method for each write route, and `ANY` on every resource for all other requests.
 *
 * @see docs/http-api.md, section 2
 */
export function addRoutes(api: RestApi, { functions, authorize, openOptions }: ApiRoutesProps): void {
  // One permission per function: one per method would fill the 20 KB of a function's resource policy.
  const integrate = (access: Access) =>
    new LambdaIntegration(functions[access], { scopePermissionToMethod: false })
  const integrations = { read: integrate('read'), write: integrate('write') }

  for (const { method, path, access } of Object.values(ROUTES))
    if (access === 'write')
      api.root.resourceForPath(path).addMethod(method, integrations.write, authorize('write'))

  for (const resource of resources(api.root)) {
    resource.addMethod('ANY', integrations.read, authorize('read'))
    if (openOptions)
      resource.addMethod('OPTIONS', integrations.read, { authorizationType: AuthorizationType.NONE })
  }
}

/** Every resource along the path of a route, and the one for all other paths. */
function resources(root: IResource): Iterable<IResource> {
  const found = new Map<string, IResource>([['', root]])
  for (const { path } of [...Object.values(ROUTES), { path: '/{proxy+}' }]) {
    const segments = path.split('/')
    for (let length = 2; length <= segments.length; length += 1) {
      const prefix = segments.slice(0, length).join('/')
      found.set(prefix, root.resourceForPath(prefix))
    }
  }
  return found.values()
}
