/** The messages of the API as JSON Schema. Generated from messages.ts by `npm run schemas`: do not edit. */
export const MESSAGE_SCHEMAS = {
  Entry: {
    type: 'object',
    properties: {
      bucket_id: {
        type: 'string',
        pattern: '^[A-Za-z0-9][A-Za-z0-9._+:-]{0,127}$',
      },
      artifact_id: {
        type: 'string',
        pattern: '^[A-Za-z0-9][A-Za-z0-9._+:-]{0,127}$',
      },
      version: {
        type: 'string',
        pattern: '^[A-Za-z0-9][A-Za-z0-9._+:-]{0,127}$',
      },
      digest: {
        type: 'string',
        pattern: '^sha256:[0-9a-f]{64}$',
      },
      size: {
        type: 'integer',
        minimum: 0,
        maximum: 9007199254740991,
      },
      content_type: {
        type: 'string',
      },
      uploaded_by: {
        anyOf: [
          {
            type: 'string',
          },
          {
            type: 'null',
          },
        ],
      },
      provenance_source: {
        anyOf: [
          {
            type: 'string',
          },
          {
            type: 'null',
          },
        ],
      },
      created_at: {
        type: 'string',
        pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$',
        format: 'date-time',
      },
    },
    required: [
      'bucket_id',
      'artifact_id',
      'version',
      'digest',
      'size',
      'content_type',
      'uploaded_by',
      'provenance_source',
      'created_at',
    ],
  },
  VersionsPage: {
    type: 'object',
    properties: {
      versions: {
        type: 'array',
        items: {
          $ref: '#/components/schemas/Entry',
        },
      },
      next_cursor: {
        anyOf: [
          {
            type: 'string',
          },
          {
            type: 'null',
          },
        ],
      },
    },
    required: ['versions', 'next_cursor'],
  },
  Download: {
    type: 'object',
    properties: {
      method: {
        const: 'GET',
      },
      url: {
        type: 'string',
      },
      headers: {
        type: 'object',
        additionalProperties: {
          type: 'string',
        },
      },
      expires_at: {
        type: 'string',
        pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$',
        format: 'date-time',
      },
      digest: {
        type: 'string',
        pattern: '^sha256:[0-9a-f]{64}$',
      },
      size: {
        type: 'integer',
        minimum: 0,
        maximum: 9007199254740991,
      },
    },
    required: ['method', 'url', 'headers', 'expires_at', 'digest', 'size'],
  },
  Upload: {
    type: 'object',
    properties: {
      bucket_id: {
        type: 'string',
        pattern: '^[A-Za-z0-9][A-Za-z0-9._+:-]{0,127}$',
      },
      artifact_id: {
        type: 'string',
        pattern: '^[A-Za-z0-9][A-Za-z0-9._+:-]{0,127}$',
      },
      version: {
        type: 'string',
        pattern: '^[A-Za-z0-9][A-Za-z0-9._+:-]{0,127}$',
      },
      digest: {
        type: 'string',
        pattern: '^sha256:[0-9a-f]{64}$',
      },
      size: {
        type: 'integer',
        minimum: 0,
        maximum: 9007199254740991,
      },
      content_type: {
        type: 'string',
      },
      uploaded_by: {
        anyOf: [
          {
            type: 'string',
          },
          {
            type: 'null',
          },
        ],
      },
      provenance_source: {
        anyOf: [
          {
            type: 'string',
          },
          {
            type: 'null',
          },
        ],
      },
      mode: {
        enum: ['single', 'multipart'],
        type: 'string',
      },
      state: {
        enum: ['open', 'verifying', 'committed', 'failed'],
        type: 'string',
      },
      expires_at: {
        type: 'string',
        pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$',
        format: 'date-time',
      },
      received: {
        anyOf: [
          {
            type: 'boolean',
          },
          {
            type: 'array',
            items: {
              $ref: '#/components/schemas/ReceivedPart',
            },
          },
        ],
      },
      request: {
        $ref: '#/components/schemas/PresignedRequest',
      },
      part_size: {
        type: 'integer',
        minimum: 0,
        maximum: 9007199254740991,
      },
      part_count: {
        type: 'integer',
        minimum: 1,
        maximum: 9007199254740991,
      },
      verified_bytes: {
        type: 'integer',
        minimum: 0,
        maximum: 9007199254740991,
      },
      entry: {
        $ref: '#/components/schemas/Entry',
      },
      problem: {
        $ref: '#/components/schemas/Problem',
      },
    },
    required: [
      'bucket_id',
      'artifact_id',
      'version',
      'digest',
      'size',
      'content_type',
      'uploaded_by',
      'provenance_source',
      'mode',
      'state',
      'expires_at',
    ],
  },
  ReceivedPart: {
    type: 'object',
    properties: {
      number: {
        type: 'integer',
        minimum: 1,
        maximum: 9007199254740991,
      },
      size: {
        type: 'integer',
        minimum: 0,
        maximum: 9007199254740991,
      },
      sha256: {
        type: 'string',
        pattern: '^[0-9a-f]{64}$',
      },
    },
    required: ['number', 'size', 'sha256'],
  },
  PresignedRequest: {
    type: 'object',
    properties: {
      method: {
        enum: ['GET', 'PUT'],
        type: 'string',
      },
      url: {
        type: 'string',
      },
      headers: {
        type: 'object',
        additionalProperties: {
          type: 'string',
        },
      },
      expires_at: {
        type: 'string',
        pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$',
        format: 'date-time',
      },
    },
    required: ['method', 'url', 'headers', 'expires_at'],
  },
  BeginUpload: {
    type: 'object',
    properties: {
      size: {
        type: 'integer',
        minimum: 0,
        maximum: 9007199254740991,
      },
      mode: {
        anyOf: [
          {
            enum: ['single', 'multipart'],
            type: 'string',
          },
          {
            type: 'null',
          },
        ],
      },
      content_type: {
        anyOf: [
          {
            type: 'string',
            minLength: 1,
            maxLength: 255,
            pattern: '^[\\x21-\\x7e]+( [\\x21-\\x7e]+)*$',
          },
          {
            type: 'null',
          },
        ],
      },
      uploaded_by: {
        anyOf: [
          {
            type: 'string',
            minLength: 1,
            maxLength: 256,
            pattern: '^[\\x21-\\x7e]+( [\\x21-\\x7e]+)*$',
          },
          {
            type: 'null',
          },
        ],
      },
      provenance_source: {
        anyOf: [
          {
            type: 'string',
            minLength: 1,
            maxLength: 1024,
            pattern: '^[\\x21-\\x7e]+( [\\x21-\\x7e]+)*$',
          },
          {
            type: 'null',
          },
        ],
      },
    },
    required: ['size'],
    additionalProperties: {
      not: {},
    },
  },
  PartDigest: {
    type: 'object',
    properties: {
      number: {
        type: 'integer',
        minimum: 1,
        maximum: 9007199254740991,
      },
      sha256: {
        type: 'string',
        pattern: '^[0-9a-f]{64}$',
      },
    },
    required: ['number', 'sha256'],
    additionalProperties: {
      not: {},
    },
  },
  PresignParts: {
    type: 'object',
    properties: {
      parts: {
        type: 'array',
        items: {
          $ref: '#/components/schemas/PartDigest',
        },
        minItems: 1,
        maxItems: 100,
      },
    },
    required: ['parts'],
    additionalProperties: {
      not: {},
    },
  },
  PartRequest: {
    type: 'object',
    properties: {
      number: {
        type: 'integer',
        minimum: 1,
        maximum: 9007199254740991,
      },
      request: {
        $ref: '#/components/schemas/PresignedRequest',
      },
    },
    required: ['number', 'request'],
  },
  PartRequests: {
    type: 'object',
    properties: {
      parts: {
        type: 'array',
        items: {
          $ref: '#/components/schemas/PartRequest',
        },
      },
    },
    required: ['parts'],
  },
  Service: {
    type: 'object',
    properties: {
      service: {
        const: 'bucket',
      },
      api_version: {
        const: 'v1',
      },
      limits: {
        type: 'object',
        properties: {
          max_artifact_bytes: {
            type: 'integer',
            minimum: 0,
            maximum: 9007199254740991,
          },
          max_inline_bytes: {
            type: 'integer',
            minimum: 0,
            maximum: 9007199254740991,
          },
          max_single_bytes: {
            type: 'integer',
            minimum: 0,
            maximum: 9007199254740991,
          },
          max_parts_per_request: {
            type: 'integer',
            minimum: 1,
            maximum: 9007199254740991,
          },
          max_page_limit: {
            type: 'integer',
            minimum: 1,
            maximum: 9007199254740991,
          },
        },
        required: [
          'max_artifact_bytes',
          'max_inline_bytes',
          'max_single_bytes',
          'max_parts_per_request',
          'max_page_limit',
        ],
      },
      links: {
        type: 'object',
        additionalProperties: {
          type: 'string',
        },
      },
    },
    required: ['service', 'api_version', 'limits', 'links'],
  },
  Health: {
    type: 'object',
    properties: {
      status: {
        const: 'ok',
      },
    },
    required: ['status'],
  },
  Problem: {
    type: 'object',
    properties: {
      type: {
        type: 'string',
      },
      title: {
        type: 'string',
      },
      status: {
        type: 'integer',
        minimum: 1,
        maximum: 9007199254740991,
      },
      detail: {
        type: 'string',
      },
      code: {
        type: 'string',
      },
      retryable: {
        type: 'boolean',
      },
      next: {
        type: 'string',
      },
      request_id: {
        type: 'string',
      },
    },
    required: ['type', 'title', 'status', 'detail', 'code', 'retryable', 'next', 'request_id'],
  },
  ProblemPage: {
    type: 'object',
    properties: {
      type: {
        type: 'string',
      },
      code: {
        type: 'string',
      },
      status: {
        type: 'integer',
        minimum: 1,
        maximum: 9007199254740991,
      },
      retryable: {
        type: 'boolean',
      },
      title: {
        type: 'string',
      },
      meaning: {
        type: 'string',
      },
      next: {
        type: 'string',
      },
    },
    required: ['type', 'code', 'status', 'retryable', 'title', 'meaning', 'next'],
  },
  ProblemPages: {
    type: 'object',
    properties: {
      problems: {
        type: 'array',
        items: {
          $ref: '#/components/schemas/ProblemPage',
        },
      },
    },
    required: ['problems'],
  },
}
