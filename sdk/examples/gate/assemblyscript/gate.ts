// gate passes a candidate whose metric is good enough and not much worse than the baseline's.

import { Description, Kind, Plugin, Reader, Schema, Verdict, Writer, fail, register } from "../../../assemblyscript/assembly";

export * from "../../../assemblyscript/assembly/exports/gate";

class Gate extends Plugin {
  private metric: string = "";
  private min: f64 = NaN;
  private maxDrop: f64 = NaN;

  describe(): Description {
    const d = new Description("gate", ["gate"]);
    d.version = "1.0.0";
    d.summary = "Passes a candidate that is good enough and not much worse than the baseline.";
    d.parameters = `{"type":"object","additionalProperties":false,"required":["metric","min","max_drop"],"properties":{
      "metric":{"type":"string","minLength":1},"min":{"type":"number"},"max_drop":{"type":"number","minimum":0}}}`;
    return d;
  }

  init(p: Reader, schema: Schema): void {
    p.object();
    while (p.member()) {
      if (p.name == "metric") this.metric = p.string();
      else if (p.name == "min") this.min = p.number();
      else if (p.name == "max_drop") this.maxDrop = p.number();
      else return p.unknown();
    }
    if (this.metric == "") return fail('parameters: "metric" is missing or empty');
    if (isNaN(this.min)) return fail('parameters: "min" is missing');
    if (!(this.maxDrop >= 0)) return fail('parameters: "max_drop" must be a number from 0');
  }

  gate(context: Reader, verdict: Verdict): void {
    let candidate = NaN, baseline = NaN;
    context.object();
    while (context.member()) {
      if (context.name == "candidate") candidate = this.figure(context);
      else if (context.name == "baseline") baseline = this.figure(context);
      else context.skip();
    }
    this.judge(candidate, baseline, verdict);
    evidence(verdict.evidence, "candidate", candidate);
    evidence(verdict.evidence, "baseline", baseline);
  }

  /** The metric's number on one side of the context; NaN when there is none. */
  private figure(r: Reader): f64 {
    let v = NaN;
    if (r.null()) return v;
    r.object();
    while (r.member()) {
      if (r.name != "metrics" || r.kind() != Kind.Object) {
        r.skip();
        continue;
      }
      r.object();
      while (r.member()) {
        if (r.name == this.metric && r.kind() == Kind.Number) v = r.number();
        else r.skip();
      }
    }
    return v;
  }

  private judge(candidate: f64, baseline: f64, verdict: Verdict): void {
    const metric = this.metric, reasons = verdict.reasons;
    if (isNaN(candidate)) {
      verdict.outcome = "review";
      reasons.push("the candidate has no finite " + metric);
      return;
    }
    const c = metric + " " + figure(candidate), drop = baseline - candidate;
    if (candidate < this.min) reasons.push(c + " is below the minimum " + figure(this.min));
    if (drop > this.maxDrop) reasons.push(c + " drops by " + figure(drop) + " from the baseline " + figure(baseline) + ", more than the " + figure(this.maxDrop) + " allowed");
    verdict.outcome = reasons.length ? "fail" : "pass";
    if (reasons.length) return;
    const enough = c + " is at least the minimum " + figure(this.min);
    if (isNaN(baseline)) reasons.push(enough + "; there is no baseline");
    else reasons.push(enough + " and drops by no more than " + figure(this.maxDrop) + " from the baseline " + figure(baseline));
  }
}

function evidence(w: Writer, name: string, v: f64): void {
  w.key(name);
  if (isNaN(v)) w.null();
  else w.number(v);
}

/** v with six decimals, by arithmetic that every language has. */
function figure(v: f64): string {
  if (Math.abs(v) >= 1000000000) return v > 0 ? "over 999999999" : "under -999999999";
  const a = Math.abs(v) * 1000000;
  let n = <u64>a;
  if (a - <f64>n >= 0.5) n++;
  return (v < 0 && n > 0 ? "-" : "") + (n / 1000000).toString() + "." + (n % 1000000).toString().padStart(6, "0");
}

register(new Gate());
