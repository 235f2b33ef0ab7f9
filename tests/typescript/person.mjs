// Whoever sits behind the host: is asked, and answers as the line of the present call says.

export class Person {
  asked = [];
  answer = undefined;
  hangUp = undefined;

  // The present call: how the person will answer, and whether the host hangs up once they are asked.
  attend({ answer, hang_up }) {
    this.asked = [];
    this.answer = answer;
    this.hangUp = hang_up ? new AbortController() : undefined;
    return this.hangUp?.signal;
  }

  // The server takes a form that is declined within a second for one that was never shown.
  reply = async (request) => {
    this.asked.push(request.params.message);
    this.hangUp?.abort("the host has hung up");
    if (this.answer?.action === "decline") await new Promise((resolve) => setTimeout(resolve, 1200));
    return this.answer;
  };
}
