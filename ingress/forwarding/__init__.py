"""Forward deliveries from the inbox to the incidents' workflows, in order, until each has arrived."""
