/**
 * Finds the route of a raw path. Segments are decoded exactly once, here. Dot segments and encoded slashes therefore reach the
 * identifier rules, which refuse them; they are never resolved into another path.
 */
import { API_ROOT, type Method, ROUTES, type RouteName } from '../protocol/routes.ts'

/** A known path: its parameters, decoded, and the routes that share it, by method. */
export interface PathMatch {
  readonly params: Readonly<Record<string, string>>
  readonly methods: Readonly<Partial<Record<Method, RouteName>>>
}

interface Template {
  readonly segments: readonly string[]
  readonly methods: Partial<Record<Method, RouteName>>
}

const templates = new Map<string, Template>()
for (const [name, route] of Object.entries(ROUTES) as [RouteName, (typeof ROUTES)[RouteName]][]) {
  const template = templates.get(route.path) ?? {
    segments: `${API_ROOT}${route.path}`.split('/'),
    methods: {},
  }
  template.methods[route.method] = name
  templates.set(route.path, template)
}
/** Every resource with GET has HEAD (RFC 9110, section 9.1). */
for (const { methods } of templates.values()) if (methods.GET) methods.HEAD ??= methods.GET

const isParameter = (segment: string) => segment.startsWith('{')

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment // no identifier may contain the %, so the rules refuse it
  }
}

/** @param path raw, without the query. */
export function matchPath(path: string): PathMatch | undefined {
  const segments = path.split('/').map(decodeSegment)
  for (const template of templates.values()) {
    if (template.segments.length !== segments.length) continue
    const fits = template.segments.every((expected, at) => isParameter(expected) || expected === segments[at])
    if (!fits) continue
    const params: Record<string, string> = {}
    template.segments.forEach((expected, at) => {
      if (isParameter(expected)) params[expected.slice(1, -1)] = segments[at] ?? ''
    })
    return { params, methods: template.methods }
  }
  return undefined
}

/** The `Allow` header of a known path. */
export const allow = (match: PathMatch): string => [...Object.keys(match.methods), 'OPTIONS'].join(', ')
