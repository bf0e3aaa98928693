/** Findings of checkov that a resource has by design, each with its reason. They are in the template, where checkov reads them. */
import { CfnResource } from 'aws-cdk-lib'
import type { IConstruct } from 'constructs'

/**
 * Adds checkov's suppressions to the resource of a construct.
 *
 * @param reasons by the id of the check.
 * @see https://www.checkov.io/2.Basics/Suppressing%20and%20Skipping%20Policies.html
 */
export function acknowledge(construct: IConstruct, reasons: Readonly<Record<string, string>>): void {
  const resource = construct.node.defaultChild ?? construct
  if (!CfnResource.isCfnResource(resource)) throw new Error(`${construct.node.path} is not a resource`)
  const skip = Object.entries(reasons).map(([id, comment]) => ({ id, comment }))
  resource.addMetadata('checkov', { skip })
}
