/**
 * Phrases that make our English hard to read, each with the words to use instead (CONTRIBUTING.md, Language).
 * A space in a pattern matches any white space. The examples are the patterns' own tests.
 */
export interface Pattern {
  readonly pattern: RegExp
  /** What to write. */
  readonly instead: string
  readonly bad: readonly string[]
  readonly good: readonly string[]
}

export const PATTERNS: readonly Pattern[] = [
  {
    pattern: /\b(?:whoever|whatever|whomever|whosoever)\b/i,
    instead: 'name the actor: the caller, the client, the server, an operator',
    bad: ['Whoever appends none asks inspect.', 'The server sends whatever is left.'],
    good: ['Callers that append nothing must call inspect.'],
  },
  {
    pattern: /\bnobody\b|\bno one (?:can|may|will|has|had|is|was|must|[a-z]+s)\b/i,
    instead: 'name the actor and negate the verb: "the server does not", "a client cannot"',
    bad: ['Nobody has to repair anything.', 'as an event that no one listens to'],
    good: ['No repair is needed.', 'Clients cannot see it.', 'These alarms notify no one.'],
  },
  {
    pattern: /\bnothing (?!unless\b|is\b|was\b|were\b|has\b|had\b|but\b|this\b|as\b|less\b)[a-z]+s\b/i,
    instead: 'name the actor and negate the verb',
    bad: ['Nothing removes these rows.'],
    good: [
      'Nothing was stored.',
      'The server never removes these rows.',
      'writes nothing unless it is told to',
    ],
  },
  {
    pattern: /(?:^|[.!?] |\/\*\* |\/\/ |\* |# )(?:What|Who) (?![^.!?|]*\?)[^.!?|:\n]*[a-z`)][.]/,
    instead: 'start with the subject, not with a clause',
    bad: ['What was left is removed by the next commit.', 'It stops. Who asks twice does not want to wait.'],
    good: [
      'The next commit removes the rest.',
      'What does this cost? A read.',
      'Who may call: everyone. More.',
    ],
  },
  {
    pattern:
      /(?<!\b(?:there|There)) \b(?:is|are|was|were|be) (?:none\b|no (?!longer|more\b|less\b|larger|smaller|later|earlier|older|newer|better|worse|slower|faster|higher|lower|matter|different|fewer|bigger))/,
    instead: '"isn\'t a …", "invalid …", "has no …", "there is no …"',
    bad: ['The address is no root of an API.', 'the body is none that Bucket reads'],
    good: ["The address isn't the root of an API.", 'There is no "latest".', 'It is no longer read.'],
  },
  {
    pattern: /\bbeside\b/i,
    instead: 'next to, with, in addition to, alongside',
    bad: ['an API key beside any other authorization'],
    good: ['an API key in addition to any other authorization', 'Besides, it is slow.'],
  },
  {
    pattern:
      /(?<!\b(?:lea\w+|left|stay\w*)\b[^.;]{0,30})\bbehind\b(?= [`\w])(?! (?:[\w`'’-]+ ){0,4}?(?:prox|load balancer|gateway|API|firewall|NAT|VPN|CDN|CloudFront|distribution|TLS|symlink|delete marker))/i,
    instead: 'after, under, past',
    bad: ['the requests behind it', 'what is no request behind them comes last'],
    good: [
      'the requests after it',
      'It leaves no file behind.',
      'a server behind a reverse proxy',
      'The clock is behind.',
    ],
  },
  {
    pattern: /\banew\b/i,
    instead: 'again, restart',
    bad: ['The upload begins anew.'],
    good: ['The upload restarts.', 'a new attempt'],
  },
  {
    pattern: /\bfor ever\b/i,
    instead: 'permanently, forever',
    bad: ['The entry is kept for ever.'],
    good: ['The entry is kept permanently.', 'for every request'],
  },
  {
    pattern: /\b(?:go|goes|going|went|gone) on (?:with|over|after|from|until|in|as|where|to)\b/i,
    instead: 'continue, resume',
    bad: ['A second process goes on with it.'],
    good: ['A second process resumes it.'],
  },
  {
    pattern: /\bin vain\b/i,
    instead: 'say what failed or was not needed',
    bad: ['What was copied in vain'],
    good: ['The copy is not needed any more.'],
  },
  {
    pattern:
      /, for (?:the|it|they|its|what|this|that|there|each|no|nothing|all|these|those) [\w`’' -]{0,40}?\b(?:is|are|was|were|has|have|goes|go|does|do|may|can|must|would|will|comes|needs)\b/i,
    instead: 'because',
    bad: ['Bytes are read twice, for the digest goes ahead of them.'],
    good: ['The source is read twice, because the digest is sent first.'],
  },
  {
    pattern: /\b(?:is|are|was|were) said to be\b|\b(?:tell|tells|telling|told) of\b/i,
    instead: 'report, say that',
    bad: [
      'https to a port without TLS is said to be that',
      'A reader that is gone is told of by each write.',
    ],
    good: ['The client reports TLS to a plaintext port as such.', 'Each write tells the caller.'],
  },
  {
    pattern: /\b(?:lest|thereof|whereof|thereby|whereby|thence|therein|wherein|heretofore|whilst)\b/i,
    instead: 'plain words: so that … not, of it, by which',
    bad: ['lest a retry starts'],
    good: ['so that no retry starts', 'the least', 'a test'],
  },
  {
    pattern: /\bof which (?:one|each|all|some|none|only|every)\b/i,
    instead: 'two sentences, or "whose"',
    bad: ['a batch of which one is refused'],
    good: ['a batch with one refused message'],
  },
  {
    pattern: /\bbut for\b(?! (?:example|instance)\b)/i,
    instead: 'except',
    bad: ['all commands but for serve'],
    good: ['all commands except serve', 'but for example'],
  },
  {
    pattern:
      /\b(?:give|gives|gave|given|giving) (?:the |an |its |that |this |every )?(?:uploads?|it) up\b|\b(?:give|gives|giving|given|gave) up (?:the|an|its|that|this) uploads?\b/i,
    instead: 'abort',
    bad: ['An operator gives the upload up.', 'give up an upload'],
    good: ['An operator aborts the upload.', 'The client gives up after 5 attempts.'],
  },
]
