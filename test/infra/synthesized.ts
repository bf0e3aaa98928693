/**
 * Synthesized stacks for the tests, cached per set of settings, without bundled functions (the bundles have their own tests).
 */
import { App, type StackProps } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { BucketStack } from '../../lib/infra/bucket-stack.ts'
import type { BucketServiceProps } from '../../lib/infra/settings.ts'

export interface Resource {
  readonly Type: string
  readonly Properties: Record<string, unknown>
  readonly DeletionPolicy?: string
  readonly UpdateReplacePolicy?: string
}

export interface Synthesized {
  readonly stack: BucketStack
  readonly template: Template
  /** Resources of one type, by logical id. */
  resources(type: string): Record<string, Resource>
  /** The only resource of one type whose logical id contains `name`. */
  resource(type: string, name?: string): Resource
}

const made = new Map<string, Synthesized>()

export function buildStack(service: BucketServiceProps, props: StackProps = {}): BucketStack {
  const app = new App({
    context: { 'aws:cdk:bundling-stacks': [] },
    // `npm run lint:template` synthesizes with the CDK's own validation, which takes longer than the rest of a synthesis.
    builtinCloudFormationValidation: false,
    treeMetadata: false,
  })
  // The CDK notes a stack trace in every construct and token.
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return new BucketStack(app, 'Bucket', { service, ...props })
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

export function synthesize(service: BucketServiceProps = {}): Synthesized {
  const key = JSON.stringify(service)
  const known = made.get(key)
  if (known) return known
  const stack = buildStack(service)
  const template = Template.fromStack(stack)
  const resources = (type: string) => template.findResources(type) as Record<string, Resource>
  const synthesized: Synthesized = {
    stack,
    template,
    resources,
    resource(type, name = '') {
      const found = Object.entries(resources(type)).filter(([id]) => id.includes(name))
      const [only] = found
      if (!only || found.length > 1)
        throw new Error(`${found.length} resources of type ${type} contain ${JSON.stringify(name)}`)
      return only[1]
    },
  }
  made.set(key, synthesized)
  return synthesized
}

/** Synthesizes the default service on import: the first synthesis loads most of the CDK, which would count toward a test's timeout. */
synthesize()

/** ARNs of a fictitious account, for settings that need one. */
export const ARNS = {
  key: 'arn:aws:kms:eu-west-1:123456789012:key/1b2c3d4e-0000-4000-8000-000000000000',
  breakGlass: 'arn:aws:iam::123456789012:role/bucket-break-glass',
  userPool: 'arn:aws:cognito-idp:eu-west-1:123456789012:userpool/eu-west-1_AbCdEfGhI',
  authorizer: 'arn:aws:lambda:eu-west-1:123456789012:function:oidc-authorizer',
  webAcl: 'arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/bucket/0b1c2d3e',
  certificate: 'arn:aws:acm:eu-west-1:123456789012:certificate/0b1c2d3e',
  topic: 'arn:aws:sns:eu-west-1:123456789012:operators',
} as const

export interface Statement {
  readonly Sid?: string
  readonly Effect: string
  readonly Action: string | readonly string[]
  readonly Resource: unknown
  readonly Condition?: Record<string, unknown>
}

/** The statements of a policy document. */
export function statements(document: unknown): readonly Statement[] {
  return (document as { readonly Statement: readonly Statement[] }).Statement
}

export const actionsOf = ({ Action }: Statement): readonly string[] =>
  typeof Action === 'string' ? [Action] : Action

/** The warnings that synth prints. */
export const warnings = (service: BucketServiceProps): readonly string[] =>
  buildStack(service)
    .node.findAll()
    .flatMap(({ node }) => node.metadata)
    .filter(({ type }) => type === 'aws:cdk:warning')
    .map(({ data }) => String(data))
