// Answers questions about policies: JSON on stdin, JSON on stdout. Run where
// @cloud-copilot/iam-simulate is installed. Then takes out, one at a time, every
// Deny and every test of a condition, and names those that no question misses.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
const require = createRequire(process.cwd() + '/');
const { runSimulation } = await import(pathToFileURL(require.resolve('@cloud-copilot/iam-simulate')));
const chunks = [];
for await (const c of process.stdin) chunks.push(c);
// The simulator knows keys with a variable part after a slash, not those after a
// colon: an encryption context has one name in policies and questions alike.
const { policies, questions } = JSON.parse(Buffer.concat(chunks).toString().replaceAll('kms:EncryptionContext:aws:logs:arn', 'kms:EncryptionContext:${EncryptionContextKey}'));

async function ask(q, of = (name) => policies[name]) {
  const r = await runSimulation({
    identityPolicies: q.identity.map((name) => ({ name, policy: of(name) })),
    serviceControlPolicies: [], resourceControlPolicies: [],
    resourcePolicy: q.resourcePolicy ? of(q.resourcePolicy) : undefined,
    request: { principal: q.principal, action: q.action, resource: { resource: q.resource, accountId: q.account }, contextVariables: q.context },
  }, {});
  if (r.resultType === 'error') return 'error: ' + JSON.stringify(r.errors);
  return r.overallResult === 'Allowed' ? 'yes' : 'no';
}

const answers = [];
for (const q of questions) answers.push(await ask(q));

// mutants of a policy: each without one Deny, or without one test of a condition.
function* mutants(policy) {
  for (const [i, st] of policy.Statement.entries()) {
    const put = (...changed) => ({ ...policy, Statement: policy.Statement.toSpliced(i, 1, ...changed) });
    if (st.Effect === 'Deny') { yield [`${st.Sid}`, put()]; }
    for (const [operator, tests] of Object.entries(st.Condition ?? {})) {
      for (const key of Object.keys(tests)) {
        const { [key]: _, ...rest } = tests;
        const condition = { ...st.Condition, [operator]: rest };
        if (Object.keys(rest).length === 0) delete condition[operator];
        yield [`${st.Sid} without ${key}`, put({ ...st, Condition: condition })];
      }
    }
  }
}

const missed = [];
let tried = 0;
for (const [name, policy] of Object.entries(policies)) {
  if (name.endsWith('!')) continue; // a variant: what is changed in the policy is changed in it
  const about = questions.map((q, i) => [q, i]).filter(([q]) => [name, name + '!'].includes(q.resourcePolicy) || q.identity.includes(name));
  for (const [what, mutant] of mutants(policy)) {
    tried++;
    const of = (n) => (n === name ? mutant : n === 'DATA!' && name === 'DATA' ? { ...mutant, Statement: [policies[n].Statement[0], ...mutant.Statement] } : policies[n]);
    let noticed = false;
    for (const [q, i] of about) {
      if ((await ask(q, of)) !== answers[i]) { noticed = true; break; }
    }
    if (!noticed) missed.push(`${name}: ${what}`);
  }
}
process.stdout.write(JSON.stringify({ answers, tried, missed }));
