/** The API page: every operation and message of the OpenAPI document. */
import {
  type ApiDocument,
  operationsOf,
  type PlacedOperation,
  refusals,
  type Schema,
  successes,
  typeText,
} from './api-document.ts'
import { Heading } from './parts.tsx'
import { visible } from './text.ts'

/** @param api the root of the API, absolute, for links to its pages. */
export const ApiView = ({ document, api }: { document: ApiDocument; api: string }) => (
  <>
    <div class="intro">
      <Heading focus={false}>HTTP API</Heading>
      <p class="lead">
        {visible(document.info.description)} This page is made from the{' '}
        <a href="openapi.json">OpenAPI document</a>, from which code generators make clients.
      </p>
    </div>
    <nav class="card index" aria-label="Operations">
      {document.tags.map(({ name, description }) => (
        <div key={name}>
          <h2>{description}</h2>
          <ul>
            {operationsOf(document, name).map(({ operationId, method, summary }) => (
              <li key={operationId}>
                <a href={`#${operationId}`}>
                  <span class="method">{method}</span> {summary}
                </a>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </nav>
    {document.tags.flatMap(({ name }) =>
      operationsOf(document, name).map((operation) => (
        <OperationCard key={operation.operationId} document={document} operation={operation} api={api} />
      )),
    )}
    <h2 class="section" id="messages">
      Messages
    </h2>
    {Object.entries(document.components.schemas).map(([name, schema]) => (
      <SchemaCard key={name} name={name} schema={schema} />
    ))}
  </>
)

interface CardProps {
  readonly document: ApiDocument
  readonly operation: PlacedOperation
  readonly api: string
}

const OperationCard = ({ document, operation, api }: CardProps) => {
  const { operationId, method, path, summary, parameters = [], requestBody } = operation
  const body = Object.entries(requestBody?.content ?? {})[0]
  return (
    <section class="card operation" id={operationId}>
      <h3>{summary}</h3>
      <p class="request">
        <span class="method">{method}</span> <code>{path}</code>
      </p>
      {(parameters.length > 0 || body) && (
        <dl class="members">
          {parameters.map((parameter) => (
            <div key={`${parameter.in} ${parameter.name}`}>
              <dt>
                <code>{parameter.name}</code> <span class="tag">{parameter.in}</span>
              </dt>
              <dd>
                <Form schema={parameter.schema} />
              </dd>
            </div>
          ))}
          {body && (
            <div>
              <dt>
                body <span class="tag">{body[0]}</span>
              </dt>
              <dd>
                <Form schema={body[1].schema} />
              </dd>
            </div>
          )}
        </dl>
      )}
      <h4>Responses</h4>
      <dl class="members">
        {successes(document, operation).map(({ status, schema }) => (
          <div key={status}>
            <dt>
              <code>{status}</code>
            </dt>
            <dd>{schema ? <Form schema={schema} /> : <span class="soft">no body</span>}</dd>
          </div>
        ))}
      </dl>
      <h4>Refusals</h4>
      <ul class="refusals">
        {refusals(document, operation).map(({ status, code }) => (
          <li key={code}>
            <span class="soft">{status}</span> <a href={`${api}/problems/${code}`}>{code}</a>
          </li>
        ))}
      </ul>
    </section>
  )
}

const SchemaCard = ({ name, schema }: { name: string; schema: Schema }) => (
  <section class="card operation" id={name}>
    <h3>{name}</h3>
    {schema.properties ? (
      <dl class="members">
        {Object.entries(schema.properties).map(([member, of]) => (
          <div key={member}>
            <dt>
              <code>{member}</code>
              {!schema.required?.includes(member) && <span class="tag">optional</span>}
            </dt>
            <dd>
              <Form schema={of} />
            </dd>
          </div>
        ))}
      </dl>
    ) : (
      <p>
        <Form schema={schema} />
      </p>
    )}
  </section>
)

/** A type in words; the name of a message is a link to it. */
const Form = ({ schema }: { schema: Schema }) => {
  const target = schema.$ref ?? schema.items?.$ref
  const text = typeText(schema)
  return (
    <>
      {target === undefined ? text : <a href={`#${target.slice(target.lastIndexOf('/') + 1)}`}>{text}</a>}
      {schema.pattern !== undefined && (
        <>
          {' '}
          <code class="small">{schema.pattern}</code>
        </>
      )}
    </>
  )
}
